"""``archlab export NAME --pick knee``"""

from pathlib import Path
from typing import Any

import click

from archlab.cli.options import studies_option
from archlab.files import file_name
from archlab.studies import check_study


def _words(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))


@click.command()
@click.argument("name")
@click.option(
    "--pick",
    "word",
    default="knee",
    show_default=True,
    help="knee, fastest (or fastest:25%), best, smallest, cheapest, or a trial's number.",
)
@click.option(
    "--forms",
    default="",
    callback=_words,
    help="Which to write, several with commas: tflite, coreml, diffusers.  [default: all there can be]",
)
@click.option(
    "--precision",
    default="",
    callback=_words,
    help="fp32, fp16, int8, …, several with commas.  [default: each form's own]",
)
@studies_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: exports/NAME-PICK]")
def export(
    name: str, word: str, forms: tuple[str, ...], precision: tuple[str, ...], studies: Path, out: Path | None
) -> None:
    """Write the winner as a folder: architecture, weights, TFLite, Core ML, card."""
    check_study(name, studies)

    from archlab.export import Plan, export_architecture

    plan = Plan(forms, precision)
    plan.check()
    winner = _winner(name, word, studies)
    folder = export_architecture(
        winner, out or Path("exports") / f"{name}-{file_name(word)}", plan=plan, say=click.echo
    )
    click.echo(f"{folder}  trial {winner.trial}, {winner.why}")
    click.echo(f"next    read {folder / 'card.md'}")


def _winner(name: str, word: str, studies: Path) -> Any:
    from archlab.architecture import load
    from archlab.export import Winner
    from archlab.proxy.evaluate import proxy_spec
    from archlab.study import load_study

    study = load_study(name, studies)
    chosen = study.pick(word)
    record = study.record(chosen.trial)
    files = study.files.trial(chosen.trial)
    spec = load(files / "architecture.yaml")
    return Winner(
        study=name,
        trial=chosen.trial,
        why=f"{word}: {chosen.why}",
        knobs=record.knobs,
        evaluation=record.evaluation,
        spec=spec,
        proxy=proxy_spec(spec, study.proxy),
        files=files,
    )
