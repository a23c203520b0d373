"""``archlab compare NAME NAME …``"""

import gc
from pathlib import Path

import click

from archlab.cli.options import format_option, reports_option, studies_option
from archlab.studies import check_study
from archlab.terminal.listing import print_listing


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME ...")
@studies_option
@reports_option
@format_option
def compare(names: tuple[str, ...], studies: Path, reports: Path, form: str) -> None:
    """Put several studies on one front. Writes reports/compare/NAME+NAME/."""
    for name in names:
        check_study(name, studies)
    gc.disable()  # as in report

    from archlab.analysis.compare import compare as compare_studies
    from archlab.evaluation.measures import better
    from archlab.report.compare import compared_front, write_comparison
    from archlab.report.seeds import seeds_in_words
    from archlab.study import load_study

    comparison = compare_studies([load_study(name, studies) for name in names])
    page = write_comparison(comparison, reports / "compare" / "+".join(names))
    table = compared_front(comparison).astype(object)
    rows = [
        {str(name): value for name, value in row.items()} for row in table.where(table.notna(), None).to_dict("records")
    ]
    print_listing(rows, form, title=f"The front over all studies ({better(comparison.objectives)})")
    if form == "table":
        width = max(map(len, [*comparison.picks, "report"]))
        for word, pick in comparison.picks.items():
            click.echo(f"{word:<{width}}  trial {pick.trial} of {pick.study}: {pick.why}")
        for sentence in seeds_in_words(comparison):
            click.echo(f"{'seeds':<{width}}  {sentence}")
        click.echo(f"{'report':<{width}}  {page}")
