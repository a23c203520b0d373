"""An architecture for the latents and contexts that encoders give."""

from dataclasses import replace

from archlab.architecture import ArchitectureError, KeptOfHeads, UNetSpec
from archlab.encoders.contracts import Codec, TextEncoder
from archlab.errors import BadInput


def fitted(
    spec: UNetSpec,
    codec: Codec,
    text: TextEncoder,
    *,
    width: float,
    sample_size: int,
    heads: KeptOfHeads = "count",
) -> UNetSpec:
    """The architecture with channels × ``width``, the codec's latents of side ``sample_size``, and the text encoder's
    contexts.

    SDXL-style added conditioning is left out: data have no sizes or crops to condition on.

    Raises:
        BadInput: the sample size cannot be halved as often as the architecture does.
    """
    try:
        return replace(
            spec.scaled(width=width, sample_size=sample_size, heads=heads),
            in_channels=codec.channels,
            out_channels=codec.channels,
            context_dim=text.dim,
            context_length=text.length,
            added=None,
        )
    except ArchitectureError as error:
        raise BadInput(f"scale: {error}") from None
