"""``archlab check SPACE.yaml``"""

import click

from archlab.cli.options import format_option, set_option, trials_option
from archlab.studies import ROOT


@click.command()
@click.argument("space", type=click.Path())
@trials_option
@set_option
@click.option(
    "--timing/--no-timing", default=True, help="Time a trial, for ten seconds at most, to estimate the hours."
)
@format_option
def check(space: str, trials: int | None, assignments: tuple[str, ...], timing: bool, form: str) -> None:
    """Validate a search space, count it, say what each change alone costs, whether its limits can be met, and about
    how long the study will take on this computer."""
    from archlab.study.preview import preview
    from archlab.study.requested import requested_definition
    from archlab.terminal.bar import bar
    from archlab.terminal.preview import print_preview

    definition = requested_definition(space, ROOT, trials, assignments)
    with bar() as progress:
        found = preview(definition, timed=timing, progress=progress)
    print_preview(found, form)
