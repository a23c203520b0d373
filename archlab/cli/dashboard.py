"""``archlab dashboard NAME``"""

from pathlib import Path

import click

from archlab.cli.interrupt import say_when_interrupted
from archlab.cli.options import studies_option
from archlab.studies import check_study

DEFAULT_PORT = 8080


@click.command()
@click.argument("name")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0 takes one that is free."
)
@studies_option
def dashboard(name: str, port: int, studies: Path) -> None:
    """Show a study in the browser, live, until Ctrl-C. Only this computer can see it."""
    check_study(name, studies)

    from archlab.report.dashboard import address, open_dashboard
    from archlab.study import load_study

    with open_dashboard(load_study(name, studies), port) as server:
        click.echo(f"{name}: {address(server)}  (Ctrl-C ends)")
        say_when_interrupted("", exit_code=0)
        server.serve_forever()
