"""Quality in seconds: an architecture shrunk, trained on captioned images and scored."""

from archlab.proxy.data import CaptionedImages, load_data
from archlab.proxy.features import FeatureNetwork, feature_network
from archlab.proxy.proxy import ProxyResult, evaluate_proxy, proxy_spec
from archlab.proxy.run import SeedResult
from archlab.proxy.score import Score
from archlab.proxy.text import encode
from archlab.proxy.train import Diverged

__all__ = [
    "CaptionedImages",
    "Diverged",
    "FeatureNetwork",
    "ProxyResult",
    "Score",
    "SeedResult",
    "encode",
    "evaluate_proxy",
    "feature_network",
    "load_data",
    "proxy_spec",
]
