"""Quality in seconds: an architecture shrunk, trained on captioned images and scored."""

from archlab.proxy.proxy import ProxyResult, evaluate_proxy, make_ready, proxy_spec
from archlab.proxy.run import SeedResult

__all__ = ["ProxyResult", "SeedResult", "evaluate_proxy", "make_ready", "proxy_spec"]
