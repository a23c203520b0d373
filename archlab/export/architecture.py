"""Writes the winner's folder, whole or not at all."""

import shutil
from pathlib import Path
from typing import Any

import archlab
from archlab.architecture import save
from archlab.errors import RunFailed
from archlab.evaluation.fact import to_plain
from archlab.export.architecture_card import card
from archlab.export.forms.form import ExportedFile, Say
from archlab.export.networks import WEIGHTS_SEED, networks_of_architecture
from archlab.export.place import export_folder, write_card
from archlab.export.plan import EVERYTHING, Plan
from archlab.export.winner import Winner


def export_architecture(winner: Winner, out: Path, *, plan: Plan = EVERYTHING, say: Say = lambda line: None) -> Path:
    """Write ``out``: architecture.yaml, proxy.yaml, proxy.safetensors, samples.png, the target's UNet in every form,
    card.json and card.md. The target has random weights, the same in all its forms: only the proxy was trained.

    An older export at ``out`` is replaced.

    Args:
        plan: forms and precisions of the target.
        say: hears one line before each slow step.

    Raises:
        BadInput: ``out`` is something else than an export, or cannot be written; or see `Plan.check`.
        RunFailed: the trial's weights are missing.
    """
    plan.check()
    checkpoint = winner.files / "checkpoint.safetensors"
    if not checkpoint.is_file():
        trial = f"{winner.study}:{winner.trial}"
        raise RunFailed(
            f"{checkpoint}: the trained weights are not there; archlab train {trial} --out models/NAME trains them, "
            "and archlab export models/NAME writes the model"
        )
    with export_folder(out) as folder:
        save(winner.spec, folder / "architecture.yaml")
        save(winner.proxy, folder / "proxy.yaml")
        shutil.copyfile(checkpoint, folder / "proxy.safetensors")
        if (winner.files / "samples.png").is_file():
            shutil.copyfile(winner.files / "samples.png", folder / "samples.png")
        written = plan.write(networks_of_architecture(winner.spec), folder, say)
        files = [file for part in written for file in part.files]
        write_card(folder, _facts(winner, files), card(winner, files))
    return out


def _facts(winner: Winner, files: list[ExportedFile]) -> dict[str, Any]:
    return {
        "study": winner.study,
        "trial": winner.trial,
        "why": winner.why,
        "architecture": winner.spec.id,
        "knobs": winner.knobs,
        "evaluation": to_plain(winner.evaluation),
        "target_weights": f"random, seed {WEIGHTS_SEED}",
        "files": [to_plain(file) for file in files],
        "archlab": archlab.__version__,
    }
