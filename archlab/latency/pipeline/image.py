"""What a whole image costs: every network of the pipeline, measured alone, times how often it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archlab.architecture import UNetSpec
from archlab.errors import BadInput, nearest, shown
from archlab.evaluation.fact import to_plain
from archlab.evaluation.latency import Latency
from archlab.latency.measure import measure
from archlab.latency.network import unet_network
from archlab.latency.pipeline.components import DECODERS, IMAGE_SCALE
from archlab.latency.pipeline.networks import decoder_network, text_networks
from archlab.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Part:
    """One network of the pipeline.

    Attributes:
        component: its role: ``text encoder``, ``UNet``, ``image decoder``.
        network: what stands for it.
        runs: how often it runs for one image.
        latency: of one run.
    """

    component: str
    network: str
    runs: int
    latency: Latency

    @property
    def ms_per_image(self) -> float:
        """The median run, times how often it runs."""
        return self.runs * self.latency.median_ms


@dataclass(frozen=True, kw_only=True)
class ImageLatency:
    """One image, as the sum of its separately measured parts.

    What lies between the parts is not in it: the scheduler's arithmetic, the tokenizer, loading.

    Attributes:
        image_size: side of the square image, in pixels.
        guidance: whether every step runs the UNet twice, with the prompt and without it.
        parts: in the order in which they run.
        provenance: of the sum; every part's latency has its own.
    """

    image_size: int
    steps: int
    guidance: bool
    parts: tuple[Part, ...]
    provenance: Mapping[str, Any]

    @property
    def total_ms(self) -> float:
        """All runs of all parts."""
        return sum(part.ms_per_image for part in self.parts)

    @property
    def noisy(self) -> bool:
        """Whether a part's times cannot be trusted."""
        return any(part.latency.noisy for part in self.parts)

    @property
    def model_mb(self) -> float:
        """All files together: what the package carries."""
        return sum(part.latency.model_mb for part in self.parts)

    @property
    def peak_memory_mb(self) -> float | None:
        """The most that any part takes, which is enough where one is unloaded before the next is loaded; None where
        the device does not tell."""
        known = [part.latency.peak_memory_mb for part in self.parts if part.latency.peak_memory_mb is not None]
        return max(known) if len(known) == len(self.parts) else None

    def rows(self) -> list[dict[str, Any]]:
        """A table: a row for each part, and one for the image."""
        rows: list[dict[str, Any]] = [
            {
                "component": part.component,
                "network": part.network,
                "runs": part.runs,
                "ms_each": part.latency.median_ms,
                "ms_per_image": part.ms_per_image,
                "share": part.ms_per_image / self.total_ms,
                "noisy": part.latency.noisy,
                "model_mb": part.latency.model_mb,
                "peak_memory_mb": part.latency.peak_memory_mb,
            }
            for part in self.parts
        ]
        return [
            *rows,
            {
                "component": "image",
                "network": f"{self.image_size}×{self.image_size}",
                "runs": None,
                "ms_each": None,
                "ms_per_image": self.total_ms,
                "share": 1.0,
                "noisy": self.noisy,
                "model_mb": self.model_mb,
                "peak_memory_mb": self.peak_memory_mb,
            },
        ]

    def to_dict(self) -> dict[str, Any]:
        """The sums first, then every part with all of its measurement."""
        return {
            "total_ms": self.total_ms,
            "noisy": self.noisy,
            "model_mb": self.model_mb,
            "peak_memory_mb": self.peak_memory_mb,
            "image_size": self.image_size,
            "steps": self.steps,
            "guidance": self.guidance,
            "parts": [
                {
                    "component": part.component,
                    "network": part.network,
                    "runs": part.runs,
                    "ms_per_image": part.ms_per_image,
                    "latency": to_plain(part.latency),
                }
                for part in self.parts
            ],
            "provenance": dict(self.provenance),
        }


def measure_image(
    spec: UNetSpec,
    device: str = "tflite",
    *,
    steps: int = 8,
    guidance: bool = True,
    decoder: str = "sd",
    progress: Progress | None = None,
    **settings: Any,
) -> ImageLatency:
    """Measure the text encoders that go with a UNet, the UNet and an image decoder, each alone.

    A text encoder runs once for an image: without the prompt its output is always the same, and kept.

    Args:
        steps: of denoising.
        guidance: classifier-free guidance, two runs of the UNet for each step (Ho & Salimans, arXiv 2207.12598).
        decoder: ``sd`` or ``small``, see `archlab.latency.pipeline.components.DECODERS`.
        settings: as in `measure`.

    Raises:
        BadInput: no step, no such decoder, or as `measure` does.
        MissingExtra, RunFailed: as `measure` does.
    """
    if steps < 1:
        raise BadInput(f"steps: at least 1 is needed but got {steps}")
    if decoder not in DECODERS:
        raise BadInput(f"decoder: there is no {shown(decoder)}{nearest(decoder, DECODERS)}")
    decoding = decoder_network(decoder, DECODERS[decoder], spec.out_channels, spec.sample_size)
    planned = [
        *(("text encoder", network, 1) for network in text_networks(spec)),
        ("UNet", unet_network(spec), steps * (2 if guidance else 1)),
        ("image decoder", decoding, 1),
    ]
    parts = tuple(
        Part(
            component=component,
            network=network.name,
            runs=runs,
            latency=measure(network, device, progress=_naming(component, progress), **settings),
        )
        for component, network, runs in planned
    )
    kinds = sorted({part.latency.provenance["kind"] for part in parts})
    return ImageLatency(
        image_size=IMAGE_SCALE * spec.sample_size,
        steps=steps,
        guidance=guidance,
        parts=parts,
        provenance={"device": device, "kind": f"sum of {' and '.join(kinds)} parts", "architecture": spec.deployed.id},
    )


def _naming(component: str, progress: Progress | None) -> Progress | None:
    """Progress whose stages begin with the component."""
    if progress is None:
        return None
    return lambda stage, fraction: progress(f"{component}: {stage}", fraction)
