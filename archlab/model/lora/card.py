"""A LoRA's card: what it is, how it came about, how to draw with it."""

from collections.abc import Iterator
from pathlib import Path

from archlab.files import write_text
from archlab.unet.lora.files import WEIGHTS_FILE
from archlab.unet.lora.lora import Lora


def write_card(lora: Lora, folder: Path, prompt: str) -> None:
    """Write ``card.md``.

    Args:
        prompt: an example.
    """
    write_text(folder / "card.md", "\n".join(_card(lora, folder, prompt)) + "\n")


def _card(lora: Lora, folder: Path, prompt: str) -> Iterator[str]:
    facts = lora.facts
    assert facts is not None
    assert facts.settings is not None
    yield from (f"# {lora.name}", "")
    yield (
        f"A LoRA of rank {lora.rank} of {facts.base}, trained by archlab {facts.archlab}: {lora.params:,} params in "
        f"{len(lora.factors)} layers. It fits {facts.base} and what was made of it with the same layers, like its "
        "few-step students."
    )
    yield from ("", "| without | with |", "| --- | --- |")
    yield from ("| ![what the model draws](samples/without.png) | ![with the LoRA](samples/final.png) |", "")
    yield from ("## To draw", "", "```bash")
    yield from (f'archlab generate MODEL --lora {folder}:1 --prompt "{prompt}" --seeds 0,1,2', "```", "")
    yield (
        f"`{WEIGHTS_FILE}` is in diffusers' form: where MODEL is a pipeline of diffusers', "
        f'`pipeline.load_lora_weights("{folder}")` takes it.'
    )
    yield from ("", "## How it was trained", "")
    yield f"- {facts.steps:,} steps of {facts.settings['batch_size']} images, {facts.seconds:,.0f} s; `curve.csv`."
    yield f"- Data: {facts.data}, content hash `{facts.data_id}`."
    if facts.val_loss is not None:
        yield f"- Validation loss: {facts.val_loss:.4f}."
    yield from ("", "| setting | value |", "| :-- | :-- |")
    yield from (f"| {key} | `{value}` |" for key, value in facts.settings.items() if value is not None)
