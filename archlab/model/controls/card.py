"""A control's card: what it is, how it came about, how to draw with it."""

from collections.abc import Iterator
from pathlib import Path

from archlab.architecture import UNetSpec
from archlab.files import write_text
from archlab.model.controls.facts import ControlFacts
from archlab.model.controls.network_folder import class_of
from archlab.unet.controlled import ControlNetwork

_IN_WORDS = {"controlnet": "ControlNet", "adapter": "T2I-Adapter"}


def write_card(facts: ControlFacts, network: ControlNetwork, spec: UNetSpec, folder: Path, prompt: str) -> None:
    """Write ``card.md``.

    Args:
        spec: of the UNet; prompt: an example.
    """
    write_text(folder / "card.md", "\n".join(_card(facts, network, class_of(network, spec), folder, prompt)) + "\n")


def _card(facts: ControlFacts, network: ControlNetwork, class_name: str, folder: Path, prompt: str) -> Iterator[str]:
    params = sum(weight.numel() for weight in network.parameters()) / 1e6
    runs = "once an image" if network.runs_once else "beside every pass of the UNet"
    size = f"{facts.image_size}×{facts.image_size}"
    yield from (f"# {facts.name}", "")
    yield (
        f"A {_IN_WORDS[facts.kind]} for {facts.model}, trained by archlab {facts.archlab}: {params:.2f} M params, "
        f"which run {runs}. Its pictures are {size} pixels and show {facts.condition}. It is for UNets with "
        f"{facts.way_down_in_words}."
    )
    yield from ("", "![pictures](samples/pictures.png)", "", "![what is drawn along them](samples/final.png)", "")
    yield from ("## To draw", "", "```bash")
    yield f'archlab generate models/{facts.model} --control {folder}:picture.png --prompt "{prompt}"'
    yield from ("```", "", "Its network for diffusers:", "", "```python")
    own = class_name.startswith("Archlab")
    yield f"from diffusers import {'AutoModel' if own else class_name}"
    yield from ("", f"network = {'AutoModel' if own else class_name}.from_pretrained(")
    yield f'    "{folder}"{", trust_remote_code=True" if own else ""}'
    yield from (")", "```", "", "## How it was trained", "")
    yield f"- {facts.steps:,} steps of {facts.settings['batch_size']} images, {facts.seconds:,.0f} s; `curve.csv`."
    yield from ("", "| setting | value |", "| :-- | :-- |")
    yield from (f"| {key} | {value} |" for key, value in facts.settings.items() if value is not None)
