"""Writes the winner's folder, whole or not at all."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import archlab
from archlab.architecture import UNetSpec, save
from archlab.convert import (
    can_run_coreml,
    compare,
    example_inputs,
    run_coreml,
    run_tflite,
    to_coreml,
    to_tflite,
    torch_output,
)
from archlab.errors import BadInput, MissingExtra, RunFailed
from archlab.export.card import card
from archlab.unet import UNet, build

WEIGHTS_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Winner:
    """What is exported, and how it was judged.

    Attributes:
        why: the sentence that chose it.
        knobs: its knob values.
        evaluation: what was measured, as in ``evaluation.json``.
        proxy: the architecture of the trained proxy.
        files: the trial's folder, with ``checkpoint.safetensors`` and ``samples.png``.
    """

    study: str
    trial: int
    why: str
    knobs: dict[str, Any]
    evaluation: dict[str, Any]
    spec: UNetSpec
    proxy: UNetSpec
    files: Path


@dataclass(frozen=True, kw_only=True)
class Converted:
    """One file of the target for a runtime.

    Attributes:
        parity_max_abs, parity_max_relative: largest difference from torch's output, and as a share of its largest
            value; None where the file cannot be run here.
        note: why there is no file or no parity.
    """

    runtime: str
    file: str | None
    parity_max_abs: float | None = None
    parity_max_relative: float | None = None
    note: str | None = None


def export_architecture(winner: Winner, out: Path, say: Callable[[str], object] = lambda line: None) -> Path:
    """Write ``out``: architecture.yaml, proxy.yaml, proxy.safetensors, samples.png, target.tflite, target.mlpackage,
    card.json and README.md. The target has random weights: only the proxy was trained.

    An older export at ``out`` is replaced. ``say`` hears one line before each slow step.

    Raises:
        BadInput: ``out`` is something else than an export, or cannot be written.
        RunFailed: the trial's weights are missing.
    """
    checkpoint = winner.files / "checkpoint.safetensors"
    if not checkpoint.is_file():
        raise RunFailed(f"{checkpoint}: the trained weights are gone; the trial must be trained again")
    if out.exists() and not (out / "card.json").is_file():
        raise BadInput(f"{out}: exists and is not an export; name another folder with --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        folder = Path(temporary) / "export"
        folder.mkdir()
        save(winner.spec, folder / "architecture.yaml")
        save(winner.proxy, folder / "proxy.yaml")
        shutil.copyfile(checkpoint, folder / "proxy.safetensors")
        if (winner.files / "samples.png").is_file():
            shutil.copyfile(winner.files / "samples.png", folder / "samples.png")
        files = _convert_target(winner.spec.deployed, folder, say)
        (folder / "card.json").write_text(json.dumps(_facts(winner, files), indent=2) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(card(winner, files), encoding="utf-8")
        if out.exists():
            out.rename(Path(temporary) / "old")
        folder.rename(out)
    return out


def _convert_target(spec: UNetSpec, folder: Path, say: Callable[[str], object]) -> list[Converted]:
    torch.manual_seed(WEIGHTS_SEED)
    unet = build(spec).eval()
    return [_convert_tflite(unet, folder, say), _convert_coreml(unet, folder, say)]


def _convert_tflite(unet: UNet, folder: Path, say: Callable[[str], object]) -> Converted:
    path = folder / "target.tflite"
    say("converting the target to TFLite")
    try:
        to_tflite(unet, path)
        inputs = example_inputs(unet.spec)
        parity = compare(torch_output(unet, inputs), run_tflite(path, inputs))
    except (MissingExtra, RunFailed) as error:
        path.unlink(missing_ok=True)
        return Converted(runtime="TFLite", file=None, note=str(error))
    return Converted(
        runtime="TFLite",
        file=path.name,
        parity_max_abs=parity.max_abs,
        parity_max_relative=parity.max_relative,
    )


def _convert_coreml(unet: UNet, folder: Path, say: Callable[[str], object]) -> Converted:
    path = folder / "target.mlpackage"
    say("converting the target to Core ML")
    try:
        to_coreml(unet, path)
    except (MissingExtra, RunFailed) as error:
        return Converted(runtime="Core ML", file=None, note=str(error))
    if not can_run_coreml():
        note = "converted and not run: running Core ML takes macOS"
        return Converted(runtime="Core ML", file=path.name, note=note)
    inputs = example_inputs(unet.spec)
    parity = compare(torch_output(unet, inputs), run_coreml(path, inputs))
    return Converted(
        runtime="Core ML",
        file=path.name,
        parity_max_abs=parity.max_abs,
        parity_max_relative=parity.max_relative,
        note="computed in float16",
    )


def _facts(winner: Winner, files: list[Converted]) -> dict[str, Any]:
    return {
        "study": winner.study,
        "trial": winner.trial,
        "why": winner.why,
        "architecture": winner.spec.id,
        "knobs": winner.knobs,
        "evaluation": winner.evaluation,
        "target_weights": f"random, seed {WEIGHTS_SEED}",
        "files": [asdict(file) for file in files],
        "archlab": archlab.__version__,
    }
