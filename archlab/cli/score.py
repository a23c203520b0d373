"""``archlab score MODEL …``"""

import shlex
from pathlib import Path

import click

from archlab.cli.number_lists import Numbers
from archlab.cli.options import format_option, loras_option
from archlab.files import file_name
from archlab.terminal.listing import print_listing

ROOT = Path("reports") / "scores"


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@loras_option
@click.option(
    "--steps",
    type=Numbers(1, word="native"),
    default="native",
    show_default=True,
    help="Of sampling: 50,8,1; native is each model's own number.",
)
@click.option(
    "--samples", type=click.IntRange(min=2), default=256, show_default=True, help="Pictures of each number of steps."
)
@click.option("--guidance", type=click.FloatRange(min=0), help="1: none.  [default: the model's own]")
@click.option("--data", metavar="SOURCE", help="What judges: see archlab data check.  [default: the model's own]")
@click.option("--clip", metavar="FOLDER", help="A whole CLIP that transformers saved, for the CLIP score.")
@click.option(
    "--extractor", default="reader", show_default=True, help="Of FID's features: reader, an Inception v3, CLIP, DINOv2."
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    default=("tflite",),
    show_default=True,
    help="Whose latency; see: archlab devices",
)
@click.option("--no-latency", is_flag=True, help="Measure none.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: reports/scores/MODEL]")
@format_option
def score(
    models: tuple[str, ...],
    loras: tuple[str, ...],
    steps: tuple[int | None, ...],
    samples: int,
    guidance: float | None,
    data: str | None,
    clip: str | None,
    extractor: str,
    devices: tuple[str, ...],
    no_latency: bool,
    out: Path | None,
    form: str,
) -> None:
    """Judge what models draw in several numbers of steps: FID, KID, precision, recall, adherence or CLIP score, beside
    params, MACs, latency and the time of an image.

    Writes scores.csv, .md and .tex, and FID against the time of an image as a picture.
    """
    from archlab.model.load import load_models
    from archlab.model.score import Scoring, score_models
    from archlab.report.model_scores import scores_table, shown_scores, write_scores
    from archlab.scores.settings import JudgeSettings
    from archlab.terminal.bar import bar

    scoring = Scoring(
        steps=steps,
        samples=samples,
        guidance=guidance,
        data=data,
        judges=JudgeSettings(extractor=extractor, clip=clip),
        devices=() if no_latency else devices,
    )
    loaded = load_models(models, loras)
    with bar() as progress:
        rows = score_models(loaded, scoring, progress, say=lambda line: click.echo(line, err=True))
    folder = out or ROOT / file_name("+".join(loaded))
    pictures = write_scores(rows, folder)
    table = (shown_scores(rows) if form == "table" else scores_table(rows)).astype(object)
    records = table.where(table.notna(), None).to_dict("records")
    print_listing([{str(name): value for name, value in record.items()} for record in records], form)
    if form == "table":
        for picture in pictures:
            click.echo(f"picture  {picture}")
        click.echo(f"table    {folder / 'scores.csv'}, .md, .tex")
        click.echo(f"next     archlab export {shlex.join(models[:1])}")
