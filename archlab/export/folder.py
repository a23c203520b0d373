"""Writes the winner's folder, whole or not at all."""

import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import archlab
from archlab.architecture import save
from archlab.errors import BadInput, RunFailed
from archlab.evaluation.fact import to_plain
from archlab.export.card import card
from archlab.export.target import RUNTIMES, WEIGHTS_SEED, Converted, convert_target
from archlab.export.winner import Winner
from archlab.files import atomic_folder


def export_architecture(
    winner: Winner,
    out: Path,
    *,
    runtimes: Collection[str] = tuple(RUNTIMES),
    say: Callable[[str], object] = lambda line: None,
) -> Path:
    """Write ``out``: architecture.yaml, proxy.yaml, proxy.safetensors, samples.png, target.tflite, target.mlpackage,
    diffusers, card.json and README.md. The target has random weights, the same in all its forms: only the proxy was
    trained.

    An older export at ``out`` is replaced.

    Args:
        runtimes: for which the target is written, of `RUNTIMES`.
        say: hears one line before each slow step.

    Raises:
        BadInput: ``out`` is something else than an export, or cannot be written.
        RunFailed: the trial's weights are missing.
    """
    checkpoint = winner.files / "checkpoint.safetensors"
    if not checkpoint.is_file():
        raise RunFailed(f"{checkpoint}: the trained weights are gone; the trial must be trained again")
    if out.exists() and not (out / "card.json").is_file():
        raise BadInput(f"{out}: exists and is not an export; name another folder with --out")
    with atomic_folder(out) as folder:
        save(winner.spec, folder / "architecture.yaml")
        save(winner.proxy, folder / "proxy.yaml")
        shutil.copyfile(checkpoint, folder / "proxy.safetensors")
        if (winner.files / "samples.png").is_file():
            shutil.copyfile(winner.files / "samples.png", folder / "samples.png")
        files = convert_target(winner.spec.deployed, folder, runtimes, say)
        (folder / "card.json").write_text(json.dumps(_facts(winner, files), indent=2) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(card(winner, files), encoding="utf-8")
    return out


def _facts(winner: Winner, files: list[Converted]) -> dict[str, Any]:
    return {
        "study": winner.study,
        "trial": winner.trial,
        "why": winner.why,
        "architecture": winner.spec.id,
        "knobs": winner.knobs,
        "evaluation": to_plain(winner.evaluation),
        "target_weights": f"random, seed {WEIGHTS_SEED}",
        "files": [asdict(file) for file in files],
        "archlab": archlab.__version__,
    }
