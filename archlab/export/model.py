"""Writes a model's export, whole or not at all."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import torch

import archlab
from archlab.cost import count
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

PROGRAM = "sample.py"


def export_model(
    model: Model,
    out: Path,
    *,
    plan: Plan = EVERYTHING,
    judging: Judging = USUAL,
    say: Say = lambda line: None,
) -> Path:
    """Write ``out``: the model's networks in every form, ``scheduler.json``, ``sample.py``, which draws with the TFLite
    files, a tokenizer's files, ``samples.png``, ``card.json`` and ``card.md``.

    An older export at ``out`` is replaced.

    Args:
        plan: forms and precisions.
        judging: how many images each precision is compared and scored with.
        say: hears one line before each slow step.

    Raises:
        BadInput: ``out`` is something else than an export, or cannot be written; the model's scheduler cannot be
            written down; or see `Plan.check`.
        RunFailed: the disk is full.
    """
    plan.check()
    scheduler, stand_in = expressible(model.scheduler)
    as_written = replace(model, scheduler=scheduler)
    networks = networks_of_model(model)
    judge = Judge(as_written, networks, judging, say)
    made: list[ExportedFile] = []
    pictures: list[Pictures] = []
    remarks = [] if stand_in is None else [stand_in]
    with export_folder(out) as folder:
        for form, precision, written in plan.write(networks, folder, say):
            made += written
            if any(file.file is not None for file in written):
                remarks += form.remarks(networks)
            runs = form.runs(networks, folder, written)
            if runs.keys() == {network.name for network in networks}:
                pictures.append(judge.pictures(form.runtime, precision, runs, timed=form.runs_itself))
        if judge.torch.scores:
            pictures.insert(0, judge.torch)
        write_fact(drawing_of(as_written, made), folder / DRAWING_FILE)
        if isinstance(model.text, Clip):
            write_tokenizer(model.text, folder / TOKENIZER_FOLDER)
        if draws_by_itself(networks, made):
            with as_file(files("archlab.export") / PROGRAM) as program:
                shutil.copyfile(program, folder / PROGRAM)
        _write_samples(judge, folder / "samples.png")
        export = _facts(model, networks, made, pictures, list(dict.fromkeys(remarks)))
        write_card(folder, to_plain(export), model_card(export))
    return out


def draws_by_itself(networks: Networks, made: Sequence[ExportedFile]) -> bool:
    """Whether there is a TFLite file of every network."""
    there = {file.component for file in made if file.runtime == "TFLite" and file.file is not None}
    return {network.name for network in networks} <= there


def _write_samples(judge: Judge, path: Path) -> None:
    """A row a prompt: torch's image, then each runtime's of the same noise."""
    if not judge.drawn:
        return
    least = min(map(len, judge.drawn.values()))
    images = torch.cat([images[:least] for images in judge.drawn.values()])
    grid(images, [*judge.prompts[:least]] * len(judge.drawn), path)


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
