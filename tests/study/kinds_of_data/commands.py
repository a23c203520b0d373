"""A space that trains two architectures for a few steps, and ``archlab study`` on it in this process."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from click.testing import CliRunner

from archlab.cli.main import cli
from archlab.study import Study, load_study
from tests.study.spaces import write_space

SPACE: Mapping[str, Any] = {
    "baseline": "tiny",
    "knobs": {"conv": ["standard", "separable"]},
    "measure": [],
    "objectives": ["quality", "macs_g"],
    "search": {"strategy": "grid", "trials": 2, "seed": 3},
}
PROXY: Mapping[str, Any] = {
    "scale": {"width": 0.125, "sample_size": 8},
    "rungs": [2, 4],
    "batch_size": 16,
    "samples": 16,
    "sampler": "dpm",
    "sampling_steps": 2,
}
ENCODED: Mapping[str, Any] = {  # the names of folders beside the YAML
    "vae": "tiny-vae",
    "text": "tiny-clip",
    "clip": "tiny-clip",
    "extractor": "tiny-clip",
}


def write_mini(folder: Path, proxy: Mapping[str, Any]) -> Path:
    """The space as ``mini.yaml`` in ``folder``, its proxy changed."""
    return write_space(folder, yaml.safe_dump({**SPACE, "proxy": {**PROXY, **proxy}}))


def arguments(space: Path, folder: Path) -> list[str]:
    """What comes after ``archlab``: the study is below ``folder``."""
    places = ("--studies", str(folder / "studies"), "--reports", str(folder / "reports"))
    return ["study", str(space), *places, "--workers", "0", "--wandb", "disabled"]


class Ran(NamedTuple):
    """A finished study, the page of its report, and what was shown meanwhile."""

    study: Study
    report: Path
    output: str

    @property
    def facts(self) -> tuple[list[dict[Hashable, Any]], dict[str, bytes]]:
        """The table without the seconds; weights and pictures of every trial."""
        table = self.study.trials.drop(columns=["seconds", "finished", "train_seconds", "score_seconds"]).astype(object)
        files = [path for form in ("checkpoint.safetensors", "samples.png") for path in self.study.folder.rglob(form)]
        contents = {str(path.relative_to(self.study.folder)): path.read_bytes() for path in files}
        return table.where(table.notna(), None).to_dict("records"), contents


def run_study(space: Path, folder: Path) -> Ran:
    """With a cache of its own, in ``folder``."""
    environment = {"ARCHLAB_CACHE": str(folder / "cache")}
    shown = CliRunner().invoke(cli, arguments(space, folder), env=environment, catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    study = load_study("mini", folder / "studies")
    return Ran(study, folder / "reports" / "mini" / "index.html", shown.output)
