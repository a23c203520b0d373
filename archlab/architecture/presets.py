"""Published UNets by name, and one small enough for a laptop."""

from collections.abc import Callable, Sequence

from archlab.architecture.spec import AddedConditioning, Block, Stage, Transformer, UNetSpec
from archlab.errors import BadInput, nearest


def preset(name: str) -> UNetSpec:
    """The UNet of that name.

    Raises:
        BadInput: there is none; the message has the nearest name.
    """
    if name not in _PRESETS:
        raise BadInput(f"no preset {name!r}{nearest(name, _PRESETS)}")
    return _PRESETS[name]()


def presets() -> dict[str, str]:
    """Names of all presets with one line about each."""
    return {name: (build.__doc__ or "").splitlines()[0] for name, build in _PRESETS.items()}


def stable_diffusion(
    *,
    channels: Sequence[int],
    depths: Sequence[int],
    heads: Sequence[int],
    down: int = 2,
    up: int = 3,
    middle_depth: int | None = 1,
    sample_size: int = 64,
    context_dim: int = 768,
    norm_groups: int = 32,
    added: AddedConditioning | None = None,
) -> UNetSpec:
    """Stable Diffusion's pattern: the same block counts in every stage, resampling between all stages.

    Args:
        channels, depths, heads: one per stage; a depth is the number of transformers after each residual block.
        middle_depth: transformers between the middle's two residual blocks; None for no middle.
    """
    last = len(channels) - 1

    def block(stage: int, depth: int) -> Block:
        return Block(transformers=(Transformer(heads=heads[stage]),) * depth)

    return UNetSpec(
        sample_size=sample_size,
        stages=tuple(
            Stage(
                channels=width,
                down=(block(index, depths[index]),) * down,
                up=(block(index, depths[index]),) * up,
                downsample="standard" if index < last else None,
                upsample="standard" if index > 0 else None,
            )
            for index, width in enumerate(channels)
        ),
        middle=() if middle_depth is None else (block(last, middle_depth), Block()),
        context_dim=context_dim,
        norm_groups=norm_groups,
        added=added,
    )


def _tiny() -> UNetSpec:
    """A three-stage UNet of 14 M params in BK-SDM's pattern, for laptops and first days."""
    return stable_diffusion(
        channels=(64, 128, 256), depths=(1, 1, 0), heads=(4, 4, 4), down=1, up=2, sample_size=32, norm_groups=16
    )


def _sd15() -> UNetSpec:
    """Stable Diffusion 1.4 / 1.5."""
    return stable_diffusion(channels=(320, 640, 1280, 1280), depths=(1, 1, 1, 0), heads=(8,) * 4)


def _bk_sdm_base() -> UNetSpec:
    """BK-SDM-Base (arXiv 2305.15798): one residual block less on each side of every stage."""
    return stable_diffusion(channels=(320, 640, 1280, 1280), depths=(1, 1, 1, 0), heads=(8,) * 4, down=1, up=2)


def _bk_sdm_small() -> UNetSpec:
    """BK-SDM-Small (arXiv 2305.15798): Base without the middle."""
    return stable_diffusion(
        channels=(320, 640, 1280, 1280), depths=(1, 1, 1, 0), heads=(8,) * 4, down=1, up=2, middle_depth=None
    )


def _bk_sdm_tiny() -> UNetSpec:
    """BK-SDM-Tiny (arXiv 2305.15798): Small without the innermost stage."""
    return stable_diffusion(
        channels=(320, 640, 1280), depths=(1, 1, 1), heads=(8,) * 3, down=1, up=2, middle_depth=None
    )


def _sd21() -> UNetSpec:
    """Stable Diffusion 2.1: OpenCLIP width 1024, heads of 64 channels."""
    return stable_diffusion(
        channels=(320, 640, 1280, 1280), depths=(1, 1, 1, 0), heads=(5, 10, 20, 20), context_dim=1024
    )


def _sdxl() -> UNetSpec:
    """Stable Diffusion XL base."""
    return stable_diffusion(
        channels=(320, 640, 1280),
        depths=(0, 2, 10),
        heads=(5, 10, 20),
        middle_depth=10,
        sample_size=128,
        context_dim=2048,
        added=AddedConditioning(),
    )


_PRESETS: dict[str, Callable[[], UNetSpec]] = {
    "tiny": _tiny,
    "sd15": _sd15,
    "sd21": _sd21,
    "sdxl": _sdxl,
    "bk_sdm_base": _bk_sdm_base,
    "bk_sdm_small": _bk_sdm_small,
    "bk_sdm_tiny": _bk_sdm_tiny,
}
