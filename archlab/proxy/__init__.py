"""Quality in seconds: an architecture shrunk, trained on captioned images and scored."""

from archlab.proxy.data import CaptionedImages, load_data
from archlab.proxy.prepare import prepare
from archlab.proxy.proxy import ProxyResult, evaluate_proxy, make_ready, proxy_spec
from archlab.proxy.run import SeedResult
from archlab.proxy.scores import Score
from archlab.proxy.train import Diverged

__all__ = [
    "CaptionedImages",
    "Diverged",
    "ProxyResult",
    "Score",
    "SeedResult",
    "evaluate_proxy",
    "load_data",
    "make_ready",
    "prepare",
    "proxy_spec",
]
