"""Draw images from a trained proxy, and lay them out to look at."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from archlab.files import atomic_path
from archlab.proxy.diffusion import AT_ONCE, sampling_schedule
from archlab.proxy.text import NULL_PROMPT, encode

_CAPTION_INCHES, _IMAGE_INCHES = 1.8, 0.8


@torch.no_grad()
def generate(
    unet: nn.Module,
    prompts: Sequence[str],
    image_shape: Sequence[int],
    *,
    steps: int,
    guidance: float,
    seed: int,
    at_once: int = AT_ONCE,
    progress: Callable[[float], None] = lambda _: None,
) -> Tensor:
    """One image for each prompt by DDIM with classifier-free guidance (arXiv 2207.12598).

    Args:
        image_shape: (C, H, W).
        guidance: 1 follows the prompt alone; more moves away from what no prompt gives.
        seed: the noise that sampling starts from, the same for every architecture.
        at_once: images that are in memory at once; guidance doubles them.

    Returns:
        float32 [N, C, H, W] in [-1, 1].
    """
    noise = torch.randn((len(prompts), *image_shape), generator=torch.Generator().manual_seed(seed))
    context = encode(prompts)
    batches = range(0, len(prompts), at_once)
    images = []
    for index, start in enumerate(batches):
        span = slice(start, start + at_once)

        def report(share: float, index: int = index) -> None:
            progress((index + share) / len(batches))

        images.append(_denoise(unet, noise[span], context[span], steps, guidance, report))
    return torch.cat(images)


def _denoise(
    unet: nn.Module,
    sample: Tensor,
    context: Tensor,
    steps: int,
    guidance: float,
    progress: Callable[[float], None],
) -> Tensor:
    schedule = sampling_schedule(steps)
    null = encode([NULL_PROMPT]).expand_as(context)
    for index, timestep in enumerate(schedule.timesteps, start=1):
        times = timestep.expand(len(sample))
        if guidance == 1:
            noise = unet(sample, times, context)
        else:
            both = unet(sample.repeat(2, 1, 1, 1), times.repeat(2), torch.cat([context, null]))
            prompted, unprompted = both.chunk(2)
            noise = unprompted + guidance * (prompted - unprompted)
        sample = schedule.step(noise, timestep, sample).prev_sample
        progress(index / steps)
    return sample.clamp(-1, 1)


def grid(images: Tensor, prompts: Sequence[str], path: Path) -> None:
    """Write samples as a PNG: one row a prompt, its images side by side, every pixel a crisp square.

    Args:
        images: [N, C, H, W] in [-1, 1] with C = 1 (grey) or 3.
        prompts: one per image; rows come in the order of first appearance.
    """
    rows: dict[str, list[int]] = {}
    for index, prompt in enumerate(prompts):
        rows.setdefault(prompt, []).append(index)
    columns = max(len(row) for row in rows.values())
    pixels = ((images + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).squeeze(3).numpy()
    figure = Figure(figsize=(_CAPTION_INCHES + columns * _IMAGE_INCHES, len(rows) * _IMAGE_INCHES))
    figure.subplots_adjust(left=_CAPTION_INCHES / figure.get_figwidth(), right=0.99, top=0.99, bottom=0.01)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (prompt, row) in zip(axes, rows.items(), strict=True):
        line[0].text(-0.15, 0.5, prompt, transform=line[0].transAxes, ha="right", va="center", fontsize=9)
        for axis in line:
            axis.axis("off")
        for axis, index in zip(line, row, strict=False):
            axis.imshow(pixels[index], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100)
