"""What a proxy says of an architecture before any training."""

from contextlib import suppress

from archlab.architecture import UNetSpec
from archlab.compute import torch_threads
from archlab.errors import BadInput
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings
from archlab.scores.zero_cost import quick_naswot


def naswot_of_proxy(spec: UNetSpec, settings: ProxySettings) -> float | None:
    """`archlab.scores.zero_cost.quick_naswot` of the architecture's proxy; None where no proxy can be built, too."""
    with torch_threads(settings.threads), suppress(BadInput, RuntimeError):
        return quick_naswot(proxy_spec(spec, settings), prepare_proxy(settings), settings)
    return None
