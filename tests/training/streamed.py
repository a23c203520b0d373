"""What is in memory after a few steps on a folder's images, and on latents and contexts of as many.

``python -m tests.training.streamed IMAGES`` prints ``RssAnon`` in bytes after each: what is resident and no page of a
file. Linux only.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from archlab.architecture import Block, Stage, Transformer, UNetSpec
from archlab.encoders.contracts import NULL_PROMPT
from archlab.encoders.fit import fitted
from archlab.encoders.prepare import Prepared
from archlab.encoders.shards import Shards, encoded
from archlab.progress import silent_share
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings, Scale
from archlab.proxy.training import begin_training

SIDE, STEPS = 32, 10
LATENT, CONTEXT = (8, 32, 32), (64, 128)  # 16 KB each, in fp16
SPEC = UNetSpec(
    sample_size=SIDE,
    in_channels=3,
    out_channels=3,
    context_dim=64,
    context_length=8,
    norm_groups=2,
    stages=(
        Stage(channels=4, down=(Block(),), up=(Block(),), downsample="standard"),
        Stage(channels=4, down=(Block(transformers=(Transformer(heads=1),)),), up=(Block(),), upsample="standard"),
    ),
    middle=(),
)


def encode(images: int, captions: int) -> tuple[Shards, Shards]:
    """Latents, and contexts of the empty prompt and the captions, as a VAE and CLIP leave them in the cache."""
    return shards("latents", images, LATENT), shards("captions", 1 + captions, CONTEXT)


def shards(kind: str, count: int, shape: tuple[int, ...]) -> Shards:
    def rows(span: slice) -> Tensor:
        return torch.rand(span.stop - span.start, *shape)

    return encoded(kind, {}, count, rows, batch=256, source="", progress=silent_share)


def with_latents(pixels: Prepared) -> Prepared:
    """The same images and captions, encoded."""
    prompts = [NULL_PROMPT, *pixels.data.prompts]
    latents, contexts = encode(len(pixels.data.images), len(pixels.data.prompts))
    rows = {prompt: row for row, prompt in enumerate(prompts)}
    return replace(pixels, latents=latents, contexts=contexts, row_of_prompt=rows)


def anonymous_after(prepared: Prepared, spec: UNetSpec, settings: ProxySettings) -> int:
    begin_training(spec, prepared, settings, seed=0).run(STEPS)
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def main(images: str) -> None:
    settings = ProxySettings(data=images, scale=Scale(width=1, sample_size=SIDE), batch_size=16, device="cpu")
    pixels = prepare_proxy(settings)
    spec = fitted(SPEC, pixels.codec, pixels.text, width=1, sample_size=SIDE)
    on_pixels = anonymous_after(pixels, spec, settings)
    channels, (length, dim) = LATENT[0], CONTEXT
    of_latents = replace(spec, in_channels=channels, out_channels=channels, context_length=length, context_dim=dim)
    on_latents = anonymous_after(with_latents(pixels), of_latents, settings)
    print(json.dumps({"images": len(pixels.data.images), "pixels": on_pixels, "latents": on_latents}))


if __name__ == "__main__":
    main(*sys.argv[1:])
