"""``archlab export MODEL``, ``archlab export STUDY --pick knee``"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from archlab.cli.options import loras_option, studies_option
from archlab.files import file_name
from archlab.studies import check_study, is_study

if TYPE_CHECKING:
    from archlab.export import Plan

ROOT = Path("exports")
Words = tuple[str, ...]


def _words(_: click.Context, __: click.Parameter, value: str) -> Words:
    return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))


class _Chosen(NamedTuple):
    """What is to be written, as the options say."""

    forms: Words
    precisions: Words
    chunks: int
    unet_batch: int

    def plan(self) -> "Plan":
        from archlab.export import Plan
        from archlab.export.forms.coreml import CoreML

        return Plan(self.forms, self.precisions, {"coreml": CoreML(self.chunks, self.unet_batch)})


@click.command()
@click.argument("name")
@loras_option
@click.option(
    "--pick",
    help="Of a study: knee, good_and_fast (with a share: good_and_fast:25%), best, smallest, fastest, or a trial's "
    "number.  [default: knee]",
)
@click.option(
    "--forms",
    default="",
    callback=_words,
    help="Which to write, several with commas: tflite, coreml, onnx, diffusers.  [default: all there can be]",
)
@click.option(
    "--precision",
    default="",
    callback=_words,
    help="fp32, fp16, int8, palette6, …, several with commas.  [default: each form's own]",
)
@click.option(
    "--compare",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="Of a model: how many images of each precision are compared with torch's; 0 leaves it out.",
)
@click.option(
    "--score",
    type=click.IntRange(min=0),
    default=64,
    show_default=True,
    help="Of a model whose data are known: how many images of each precision are scored; 0 leaves it out.",
)
@click.option(
    "--chunks",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="Packages that the UNet makes for Core ML; iPhones need 2 unless its weights are small.",
)
@click.option(
    "--control", type=click.Path(path_type=Path), help="Of a model: a control's folder; its networks are written, too."
)
@click.option("--unet-batch-one", is_flag=True, help="For Core ML a UNet that takes one latent, not two for guidance.")
@studies_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: exports/NAME]")
def export(
    name: str,
    loras: Words,
    pick: str | None,
    forms: Words,
    precision: Words,
    compare: int,
    score: int,
    chunks: int,
    unet_batch_one: bool,
    control: Path | None,
    studies: Path,
    out: Path | None,
) -> None:
    """Write a model for devices: its networks, a program that draws with them, a card.

    NAME is a model's folder, one of diffusers', or study:trial. Of a study its pick is written: the architecture, with
    random weights.
    """
    chosen = _Chosen(forms, precision, chunks, 1 if unet_batch_one else 2)
    if not is_study(name, studies) and (Path(name).is_dir() or ":" in name or "/" in name):
        if pick is not None:
            raise click.UsageError("--pick belongs to a study; a model is exported as it is")
        _export_model(name, loras, control, out, chosen, (compare, score))
    elif loras or control is not None:
        option = "--lora" if loras else "--control"
        raise click.UsageError(f"{option} belongs to a model; a study's pick has random weights")
    else:
        _export_pick(name, pick or "knee", studies, out, chosen)


def _export_model(
    name: str, loras: Words, control: Path | None, out: Path | None, chosen: _Chosen, judged: tuple[int, int]
) -> None:
    click.echo(f"exporting {name}")

    from archlab.export import Judging, export_model
    from archlab.model.load import load_models

    plan = chosen.plan()
    plan.check()
    (model,) = load_models([name], loras).values()
    folder = export_model(
        model,
        out or ROOT / file_name(model.name),
        plan=plan,
        judging=Judging(*judged),
        control=control,
        say=click.echo,
    )
    click.echo(f"{folder}  {model.name}")
    if (folder / "sample.py").is_file():
        click.echo(f'next    python {folder / "sample.py"} "a prompt"')


def _export_pick(name: str, word: str, studies: Path, out: Path | None, chosen: _Chosen) -> None:
    check_study(name, studies)

    from archlab.study import load_study

    study = load_study(name, studies)
    picked = study.pick(word)
    click.echo(f"exporting trial {picked.trial} of {name}, {word}")

    from archlab.architecture import load
    from archlab.export import Winner, export_architecture
    from archlab.proxy.evaluate import proxy_spec

    record = study.record(picked.trial)
    files = study.files.trial(picked.trial)
    spec = load(files / "architecture.yaml")
    winner = Winner(
        study=name,
        trial=picked.trial,
        why=f"{word}: {picked.why}",
        knobs=record.knobs,
        evaluation=record.evaluation,
        spec=spec,
        proxy=proxy_spec(spec, study.proxy),
        files=files,
    )
    out = out or ROOT / f"{name}-{file_name(word)}"
    folder = export_architecture(winner, out, plan=chosen.plan(), say=click.echo)
    click.echo(f"{folder}  trial {picked.trial}, {picked.why}")
    click.echo(f"next    read {folder / 'card.md'}")
