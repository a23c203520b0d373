"""``archlab``: one small file per command."""

import io
import sys

import click

import archlab
from archlab.cli.audit import audit
from archlab.cli.cache import cache
from archlab.cli.check import check
from archlab.cli.compare import compare
from archlab.cli.control import control
from archlab.cli.dashboard import dashboard
from archlab.cli.data import data
from archlab.cli.devices import devices
from archlab.cli.diff import diff
from archlab.cli.distill import distill
from archlab.cli.export import export
from archlab.cli.generate import generate
from archlab.cli.interrupt import interrupted
from archlab.cli.latency import latency
from archlab.cli.latency_table import latency_table
from archlab.cli.lora import lora
from archlab.cli.new import new
from archlab.cli.presets import presets
from archlab.cli.profile import profile
from archlab.cli.report import report
from archlab.cli.score import score
from archlab.cli.study import study
from archlab.cli.track import track
from archlab.cli.train import train
from archlab.errors import BadInput, RunFailed, shorten, without_passwords
from archlab.remarks import drop_remarks_of_imports

EXIT_BAD_INPUT, EXIT_FAILED = 2, 1

_LONGEST_MESSAGE = 1_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(archlab.__version__, prog_name="archlab")
def cli() -> None:
    """Find the text-to-image UNet that is worth its milliseconds on your device.

    Start with: archlab study search_spaces/quickstart.yaml
    """


COMMANDS = (
    new,
    study,
    check,
    audit,
    report,
    compare,
    dashboard,
    track,
    train,
    distill,
    lora,
    control,
    generate,
    score,
    export,
    profile,
    latency,
    latency_table,
    diff,
    presets,
    data,
    devices,
    cache,
)

for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line in this process."""
    sys.exit(run())


def run() -> int:
    """The exit code; errors are one line, 2 for bad input and 1 for a failed run."""
    drop_remarks_of_imports()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without → or ä shows a question mark
    try:
        code: int = cli.main(prog_name="archlab", standalone_mode=False) or 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = interrupted()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = EXIT_BAD_INPUT
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        more = f" See: {context.command_path} --help" if context else ""
        code = _say(f"{shorten(error.format_message())}{more}", EXIT_BAD_INPUT)
    except BadInput as error:
        code = _say(str(error), EXIT_BAD_INPUT)
    except RunFailed as error:
        code = _say(str(error), EXIT_FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        code = _say(f"{where}{error.strerror or error}", EXIT_BAD_INPUT)
    return code


def _say(message: str, code: int) -> int:
    """On one line, without what would command the terminal."""
    said = without_passwords(message[: 2 * _LONGEST_MESSAGE])
    line = "".join(letter if letter.isprintable() else " " for letter in said)
    click.echo(f"archlab: {shorten(' '.join(line.split()), _LONGEST_MESSAGE)}", err=True)
    return code


if __name__ == "__main__":
    main()
