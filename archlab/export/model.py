"""Writes a model's export, whole or not at all."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import torch
from torch import Tensor

import archlab
from archlab.cost import count
from archlab.data.conditions import EDGES
from archlab.data.pictures import grid
from archlab.encoders.clip import Clip
from archlab.evaluation.fact import to_plain, write_fact
from archlab.export.drawing import DRAWING_FILE, TOKENIZER_FOLDER, drawing_of
from archlab.export.forms.form import ExportedFile, Say
from archlab.export.model_card import ModelExport, model_card
from archlab.export.networks import Networks, networks_of_model
from archlab.export.pictures import USUAL, Judge, Judging, Pictures
from archlab.export.place import export_folder, write_card
from archlab.export.plan import EVERYTHING, Plan
from archlab.export.steps import expressible
from archlab.export.tokenizer import write_tokenizer
from archlab.model import Model
from archlab.model.controls.facts import read_facts
from archlab.model.controls.load import control_of

PROGRAM = "sample.py"

_SIGMA = 1.0  # of edges that are drawn along, where the control was not trained on edges


def export_model(
    model: Model,
    out: Path,
    *,
    plan: Plan = EVERYTHING,
    judging: Judging = USUAL,
    control: Path | None = None,
    say: Say = lambda line: None,
) -> Path:
    """Write ``out``: the model's networks in every form, ``scheduler.json``, ``sample.py``, which draws with the TFLite
    files, a tokenizer's files, ``samples.png``, ``card.json`` and ``card.md``.

    An older export at ``out`` is replaced.

    Args:
        plan: forms and precisions.
        judging: how many images each precision is compared and scored with.
        control: the folder of one for this model, whose networks are written, too, with ``controlled.png``.
        say: hears one line before each slow step.

    Raises:
        BadInput: ``out`` is something else than an export, or cannot be written; the model's scheduler cannot be
            written down; the control is for other models; or see `Plan.check`.
        RunFailed: the disk is full.
    """
    plan.check()
    scheduler, stand_in = expressible(model.scheduler)
    as_written = replace(model, scheduler=scheduler)
    along = None if control is None else control_of(control, model, torch.empty(0))
    networks = networks_of_model(model, None if along is None else along.network)
    judge = Judge(as_written, networks, judging, say)
    if along is not None and judge.prompts:
        along = replace(along, pictures=judge.edges(_sigma(control)))
    made: list[ExportedFile] = []
    pictures: list[Pictures] = []
    remarks = [] if stand_in is None else [stand_in]
    with export_folder(out) as folder:
        for form, precision, written in plan.write(networks, folder, say):
            made += written
            if any(file.file is not None for file in written):
                remarks += form.remarks(networks)
            runs = form.runs(networks, folder, written)
            if runs.keys() >= {network.name for network in networks.plain}:
                pictures.append(judge.pictures(form.runtime, precision, runs, timed=form.runs_itself))
            if along is not None and judge.prompts and runs.keys() == {network.name for network in networks}:
                alike = judge.pictures_along(along, form.runtime, precision, runs, timed=form.runs_itself)
                pictures.append(alike)
        if judge.torch.scores:
            pictures.insert(0, judge.torch)
        write_fact(drawing_of(as_written, made), folder / DRAWING_FILE)
        if isinstance(model.text, Clip):
            write_tokenizer(model.text, folder / TOKENIZER_FOLDER)
        if draws_by_itself(networks, made):
            with as_file(files("archlab.export") / PROGRAM) as program:
                shutil.copyfile(program, folder / PROGRAM)
        _write_samples(judge.drawn, judge.prompts, folder / "samples.png")
        if along is not None and judge.along:
            _write_samples(
                {"pictures": _of_channels(along.pictures, model), **judge.along},
                judge.prompts,
                folder / "controlled.png",
            )
        export = _facts(model, networks, made, pictures, list(dict.fromkeys(remarks)))
        write_card(folder, to_plain(export), model_card(export))
    return out


def draws_by_itself(networks: Networks, made: Sequence[ExportedFile]) -> bool:
    """Whether there is a TFLite file of every network."""
    there = {file.component for file in made if file.runtime == "TFLite" and file.file is not None}
    return {network.name for network in networks} <= there


def _write_samples(drawn: Mapping[str, Tensor], prompts: Sequence[str], path: Path) -> None:
    """A row a prompt: torch's image, then each runtime's of the same noise."""
    if not drawn:
        return
    least = min(map(len, drawn.values()))
    images = torch.cat([images[:least] for images in drawn.values()])
    grid(images, [*prompts[:least]] * len(drawn), path)


def _sigma(control: Path | None) -> float:
    """With which the edges were found that a control was trained on."""
    facts = None if control is None else read_facts(control)
    return float(facts.settings["edge_sigma"]) if facts is not None and facts.condition == EDGES else _SIGMA


def _of_channels(pictures: Tensor, model: Model) -> Tensor:
    """Pictures in [0, 1] as images that the model might have drawn."""
    return 2 * pictures[:, : model.image_channels] - 1


def _facts(
    model: Model, networks: Networks, made: list[ExportedFile], pictures: list[Pictures], remarks: list[str]
) -> ModelExport:
    cost = count(model.spec)
    return ModelExport(
        model=model.facts,
        params_m=cost.params_m,
        macs_g=cost.macs_g,
        passes=model.passes(),
        scheduler=type(model.scheduler).__name__,
        files=tuple(made),
        pictures=tuple(pictures),
        has_program=draws_by_itself(networks, made),
        remarks=tuple(remarks),
        archlab=archlab.__version__,
    )
