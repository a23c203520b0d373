"""Published UNets by name, and one small enough for a laptop."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from archlab.architecture.parts import AddedConditioning, Block, Stage, Transformer
from archlab.architecture.spec import UNetSpec
from archlab.errors import BadInput, nearest, shown


def preset(name: str) -> UNetSpec:
    """The UNet of that name.

    Raises:
        BadInput: there is none; the message has the nearest name.
    """
    return _entry(name).build()


def presets() -> dict[str, str]:
    """Names of all presets with one line about each."""
    return {name: (entry.build.__doc__ or "").splitlines()[0] for name, entry in _PRESETS.items()}


def preset_source(name: str) -> str:
    """Where the architecture of that preset is published, and whether it is exact.

    Raises:
        BadInput: as `preset`.
    """
    return _entry(name).source


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
    """Stable Diffusion 2.1: OpenCLIP width 1024, heads of 64 channels.

    Latents are those of 2.1-base; the model for 768 pixels is the same UNet at 96×96.
    """
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


def _snapfusion() -> UNetSpec:
    """SnapFusion's UNet: one reading of the paper's table.

    Known (arXiv 2306.00980, Table 3): residual blocks (RB) and transformers (CA) of every part. Down-1: CA 0, RB 2;
    Down-2: CA 2, RB 2; Down-3: CA 2, RB 1; Mid: CA 1, RB 4; Up-1: CA 6, RB 2; Up-2: CA 3, RB 3; Up-3: CA 0, RB 3.

    Chosen: Stable Diffusion 1.5's widths and heads; Mid is the innermost stage (one residual block a side) with the
    middle; where a part has more transformers than residual blocks they follow its blocks in equal numbers. That
    makes 725 M params where the paper prints 848 M: the table does not pin the layout down.
    """

    def blocks(residual: int, depth: int) -> tuple[Block, ...]:
        return (Block(transformers=(Transformer(heads=8),) * depth),) * residual

    return UNetSpec(
        sample_size=64,
        stages=(
            Stage(channels=320, down=blocks(2, 0), up=blocks(3, 0), downsample="standard", upsample=None),
            Stage(channels=640, down=blocks(2, 1), up=blocks(3, 1), downsample="standard", upsample="standard"),
            Stage(channels=1280, down=blocks(1, 2), up=blocks(2, 3), downsample="standard", upsample="standard"),
            Stage(channels=1280, down=blocks(1, 0), up=blocks(1, 0), downsample=None, upsample="standard"),
        ),
        middle=blocks(1, 1) + blocks(1, 0),
    )


def _mobilediffusion() -> UNetSpec:
    """MobileDiffusion's UNet: a reconstruction from the paper's rules.

    Known (arXiv 2311.16567, its reviews and the authors' post): 386 M params; no transformer at 64×64, cross-attention
    without self-attention at 32×32 and the outer 16×16, full transformers at the inner 16×16 and the middle; W_K = W_V
    in self-attention; swish in the gated feed-forward; softmax, finetuned with relu; feed-forward ratio 6; separable
    3×3 convolutions but in the outermost level; 12 residual blocks: 1, 1, 1, 2, middle 2, 2, 1, 1, 1.

    Chosen, for the paper's channel lists are not public: widths 320, 640, 1024 at 64, 32, 16; 13 transformers in the
    middle, which brings the params to 383.9 M; heads of 64 channels; separable resampling off the outermost stage.
    """
    return _mobile((320, 640, 1024), heads=(10, 16))


def _mobilediffusion_lite() -> UNetSpec:
    """MobileDiffusion-Lite's UNet: a reconstruction from the paper's rules.

    Known: 257 M params (29.9 % of Stable Diffusion 1.5's, a review of version 1). Chosen: MobileDiffusion's
    reconstruction at widths 256, 512, 832, about 0.8 of its; 257.8 M params.
    """
    return _mobile((256, 512, 832), heads=(8, 13))


def _snapgen() -> UNetSpec:
    """SnapGen's UNet: a reconstruction from the paper's rules.

    Known (arXiv 2412.09619, its reviews and the authors' page): 372 M params (379 M for text to image); SDXL's UNet at
    widths 256, 512, 896 with 0, 2, 4 transformers a block; self-attention at the lowest resolution alone; all
    convolutions separable with 2 times the channels between them; the feed-forward's hidden layer 3 times as wide as
    the model, not 4; one head of keys and values; text from the first stage on, by transformers of cross-attention
    and feed-forward; RMS norm of queries and keys; rotary positions.

    Chosen: an expanded convolution is 1×1, 3×3 per channel, 1×1, its inner width twice the channels that come out, for
    so the changes cost about what is reported of them (params, with a context of 768: expanded convolutions −16 %
    where −15 % is reported, the feed-forward −13 % where it is about −12 %, multi-query attention −16 % as reported);
    2 transformers in the middle, which brings the params to 369.9 M (4 of them: 391.2 M); heads of 64 channels; latents
    of 128×128 and 4 channels, as SDXL's.
    """

    def block(heads: int, depth: int, self_attention: bool = False) -> Block:
        transformer = Transformer(
            heads=heads, self_attention=self_attention, kv_heads=1, qk_norm="rms", positions="rotary", ff_ratio=6
        )
        return Block(conv="separable_expanded", transformers=(transformer,) * depth)

    def stage(channels: int, each: Block, *, is_last: bool = False, is_first: bool = False) -> Stage:
        below, above = (None if end else each.conv for end in (is_last, is_first))
        return Stage(channels=channels, down=(each,) * 2, up=(each,) * 3, downsample=below, upsample=above)

    return UNetSpec(
        sample_size=128,
        stages=(
            stage(256, block(4, 1), is_first=True),
            stage(512, block(8, 2)),
            stage(896, block(14, 4, self_attention=True), is_last=True),
        ),
        middle=(block(14, 2, self_attention=True), block(14, 0)),
    )


def _mobile(channels: tuple[int, int, int], heads: tuple[int, int]) -> UNetSpec:
    """MobileDiffusion's layout; ``heads`` at 32×32 and at 16×16."""
    high, middle, low = channels

    def transformer(heads: int, self_attention: bool) -> Transformer:
        return Transformer(
            heads=heads,
            self_attention=self_attention,
            kv_sharing="self",
            ff_ratio=6,
            ff_activation="swish",
            attention_normalizer="softmax->relu",
        )

    def block(*transformers: Transformer) -> Block:
        return Block(conv="separable", transformers=transformers)

    crossing = (block(transformer(heads[0], self_attention=False)),)
    outer = (block(transformer(heads[1], self_attention=False)),)
    full = transformer(heads[1], self_attention=True)
    return UNetSpec(
        sample_size=64,
        stages=(
            Stage(channels=high, down=(Block(),), up=(Block(),), downsample="standard", upsample=None),
            Stage(channels=middle, down=crossing, up=crossing, downsample="separable", upsample="separable"),
            Stage(channels=low, down=outer, up=outer, downsample=None, upsample="separable"),
            Stage(channels=low, down=(block(full),) * 2, up=(block(full),) * 2, downsample=None, upsample=None),
        ),
        middle=(block(*(full,) * 13), block()),
    )


def _entry(name: str) -> "_Preset":
    if name not in _PRESETS:
        raise BadInput(f"no preset {shown(name)}{nearest(name, _PRESETS)}")
    return _PRESETS[name]


class _Preset(NamedTuple):
    build: Callable[[], UNetSpec]
    source: str


_PRESETS: dict[str, _Preset] = {
    "tiny": _Preset(_tiny, "archlab"),
    "sd15": _Preset(_sd15, "published config; arXiv 2112.10752"),
    "sd21": _Preset(_sd21, "published config; arXiv 2112.10752"),
    "sdxl": _Preset(_sdxl, "published config; arXiv 2307.01952"),
    "bk_sdm_base": _Preset(_bk_sdm_base, "published config; arXiv 2305.15798"),
    "bk_sdm_small": _Preset(_bk_sdm_small, "published config; arXiv 2305.15798"),
    "bk_sdm_tiny": _Preset(_bk_sdm_tiny, "published config; arXiv 2305.15798"),
    "snapfusion": _Preset(_snapfusion, "a reading of arXiv 2306.00980, Table 3"),
    "mobilediffusion": _Preset(_mobilediffusion, "a reconstruction from arXiv 2311.16567"),
    "mobilediffusion_lite": _Preset(_mobilediffusion_lite, "a reconstruction from arXiv 2311.16567"),
    "snapgen": _Preset(_snapgen, "a reconstruction from arXiv 2412.09619"),
}
