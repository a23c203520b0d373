"""Quality in seconds: an architecture shrunk, trained on captioned images and scored."""

from archlab.proxy.proxy import evaluate_proxy, make_ready, proxy_spec

__all__ = ["evaluate_proxy", "make_ready", "proxy_spec"]
