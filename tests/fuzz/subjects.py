"""What is edited, small and whole, and the commands that read it."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from archlab.architecture import UNetSpec, preset, save, to_diffusers_config
from archlab.cost import count
from archlab.evaluation.fact import to_json
from archlab.latency.settings import Settings
from archlab.latency.table.pieces import Piece, pieces
from archlab.latency.table.table import Burst, Circumstances, Table, Timing, save_table
from archlab.space import load_space
from tests.data.layouts import LAYOUTS, samples
from tests.fuzz.data_folders import IMAGES, edit_data
from tests.fuzz.edits import edit_file
from tests.fuzz.studies import write_space, write_study
from tests.made_up_facts import measured

Command = Sequence[str]


@dataclass(frozen=True)
class Subject:
    """Files that people have, and what reads them.

    Attributes:
        path: a file, or a folder of which any file may be edited.
        commands: run in the folder that all subjects are in.
        weights: how often a file is edited, by its name; others count 1.
        edit_folder: edits the folder as a whole in a random way; None where its files are edited.
    """

    path: Path
    commands: Sequence[Command]
    weights: dict[str, int] = field(default_factory=dict)
    edit_folder: Callable[[Path, random.Random], str] | None = None

    def edit(self, source: random.Random) -> str:
        """Edit it in a random way; what was done, in words."""
        if self.edit_folder is not None:
            return self.edit_folder(self.path, source)
        return edit_file(self._choose(source), source)

    def _choose(self, source: random.Random) -> Path:
        """The file to edit."""
        if self.path.is_file():
            return self.path
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        (file,) = source.choices(files, [self.weights.get(path.name, 1) for path in files])
        return file


def study(folder: Path) -> Subject:
    """A finished study, by what its files hold, beside another."""
    space = write_space(folder)
    path = write_study(space, folder / "studies", "mini", seed=1)
    write_study(space, folder / "studies", "other", seed=2)
    commands = (
        ["report", "mini"],
        ["study", "mini.yaml", "--wandb", "disabled"],
        ["export", "mini", "--out", "export"],
        ["profile", "mini:0"],
        ["compare", "mini", "other"],
    )
    weights = {"study.yaml": 16, "baseline.json": 12, "journal.log": 12, "confirmation.json": 8}
    weights |= {"evaluation.json": 4, "architecture.yaml": 2}
    return Subject(path, commands, weights)


def space(folder: Path) -> Subject:
    """A search space with every section."""
    (folder / "space").mkdir()
    return Subject(write_space(folder / "space"), (["check", "space/mini.yaml", "--no-timing"],))


def architecture(folder: Path) -> Subject:
    """An architecture's YAML."""
    path = folder / "architecture.yaml"
    save(preset("tiny"), path)
    return Subject(path, (["profile", path.name], ["diff", "tiny", path.name]))


def diffusers(folder: Path) -> Subject:
    """The config of a diffusers UNet, every key written out."""
    from diffusers import UNet2DConditionModel

    path = folder / "unet" / "config.json"
    path.parent.mkdir()
    config = UNet2DConditionModel(**to_diffusers_config(_small())).config
    path.write_text(json.dumps({**config, "_class_name": "UNet2DConditionModel"}, indent=2, default=list))
    return Subject(path, (["profile", "unet"], ["diff", "tiny", "unet"]))


def recording(folder: Path) -> Subject:
    """Two measurements of one architecture, one a line."""
    path, spec = folder / "recording.jsonl", _small()
    save(spec, folder / "recorded.yaml")
    provenance = {"architecture": spec.deployed.id, "device": "phone"}
    lines = [to_json(measured(ms, provenance={**provenance, "threads": n})) for n, ms in ((1, 5.0), (2, 3.0))]
    path.write_text("\n".join(lines) + "\n")
    return Subject(path, (["latency", "recorded.yaml", "--device", f"replay:{path.name}", "--threads", "2"],))


def table(folder: Path) -> Subject:
    """A latency table of a few pieces and networks, as if every G MAC took a millisecond."""
    path = folder / "table.json"
    (folder / "table").mkdir()
    drawn = load_space(write_space(folder / "table"))
    specs = list({spec.id: spec for spec in map(drawn.sample, range(40))}.values())[:9]
    of_specs = list(dict.fromkeys(piece for spec in specs for piece in pieces(spec)))
    whole = {spec: _timing(count(spec).macs_g) for spec in specs}
    save_table(
        Table(
            circumstances=Circumstances.of("phone", Settings(compute="cpu", attention="plain"), {"runtime": "1"}),
            reference=_largest(of_specs),
            idle=_timing(0.01),
            pieces={piece: _timing(0.1 + 0.01 * number) for number, piece in enumerate(of_specs)},
            whole={"fit": dict(list(whole.items())[:6]), "check": dict(list(whole.items())[6:])},
            measured_at="2026-01-01T10:00:00+00:00",
            seconds=60.0,
        ),
        path,
    )
    return Subject(path, (["latency-table", "show", path.name],))


def data(folder: Path) -> Subject:
    """Captioned images, in another layout at every edit."""
    path = LAYOUTS["metadata.csv"](folder / "data" / "set", samples(IMAGES))
    check = ["data", "check", "data/set", "--image-size", "16", "--out", "overview"]
    return Subject(path, (check,), edit_folder=edit_data)


SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "study": study,
    "space": space,
    "architecture": architecture,
    "diffusers": diffusers,
    "recording": recording,
    "table": table,
    "data": data,
}


def _small() -> UNetSpec:
    return replace(preset("tiny").scaled(width=0.25), guidance_dim=8)


def _timing(ms: float) -> Timing:
    return Timing(bursts=[Burst(ms, 1.0), Burst(1.1 * ms, 1.0)], model_mb=1.0, seconds=0.5)


def _largest(found: Sequence[Piece]) -> Piece:
    return max((piece for piece in found if piece.node), key=lambda piece: (piece.node.out_channels, piece.id))
