"""``archlab export NAME --pick knee``"""

from pathlib import Path

import click

from archlab.cli.options import studies_option
from archlab.files import file_name
from archlab.studies import check_study


@click.command()
@click.argument("name")
@click.option(
    "--pick",
    "word",
    default="knee",
    show_default=True,
    help="knee, fastest (or fastest:25%), best, smallest, cheapest, or a trial's number.",
)
@studies_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: exports/NAME-PICK]")
def export(name: str, word: str, studies: Path, out: Path | None) -> None:
    """Write the winner as a folder: architecture, weights, TFLite, Core ML, card."""
    check_study(name, studies)

    from archlab.study import load_study

    study = load_study(name, studies)
    chosen = study.pick(word)

    from archlab.architecture import load
    from archlab.export import Winner, export_architecture
    from archlab.proxy.evaluate import proxy_spec

    record = study.record(chosen.trial)
    files = study.files.trial(chosen.trial)
    spec = load(files / "architecture.yaml")
    winner = Winner(
        study=name,
        trial=chosen.trial,
        why=f"{word}: {chosen.why}",
        knobs=record.knobs,
        evaluation=record.evaluation,
        spec=spec,
        proxy=proxy_spec(spec, study.proxy),
        files=files,
    )
    folder = export_architecture(winner, out or Path("exports") / f"{name}-{file_name(word)}", say=click.echo)
    click.echo(f"{folder}  trial {chosen.trial}, {chosen.why}")
    click.echo(f"next    read {folder / 'README.md'}")
