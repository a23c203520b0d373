"""Every listing as a table, JSON or CSV."""

import csv
import io
import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click

_INDENT = 8  # of what is remarked, behind its word


def print_listing(rows: Sequence[Mapping[str, Any]], form: str, title: str | None = None) -> None:
    """Print rows that share their keys; numbers are aligned to the right in a table, None is empty."""
    if form == "json":
        click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False, default=str))
    elif form == "csv":
        buffer = io.StringIO()
        if rows:
            writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        click.echo(buffer.getvalue(), nl=False)
    else:
        _print_table(rows, title)


def print_facts(facts: Mapping[str, Any], form: str) -> None:
    """Print one thing's facts: as JSON an object, as CSV a single row, as a table a line each."""
    if form == "json":
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False, default=str))
    elif form == "csv":
        print_listing([facts], form)
    else:
        width = max(len(name) for name in facts)
        for name, value in facts.items():
            click.echo(f"{name.ljust(width)}  {shown(value)}")


def print_remark(word: str, sentence: str, colour: str | None = None) -> None:
    """``note    The front cannot be told …``; a terminal's lines end between words, and begin below one another."""
    line = f"{word:<{_INDENT}}{sentence}"
    if sys.stdout.isatty():
        line = textwrap.fill(
            line,
            shutil.get_terminal_size().columns,
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
    click.secho(line, fg=colour)


def shown(value: Any) -> str:
    """A value for human eyes: four significant digits for a float, thousands apart for a whole number."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


_PLAIN_WIDTH = 250  # of a table that goes to a file or a pipe


def _print_table(rows: Sequence[Mapping[str, Any]], title: str | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        click.echo("nothing to list")
        return
    table = Table(title=title and Text(title), box=box.SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        numeric = any(isinstance(row[name], (int, float)) for row in rows)
        if numeric:
            widest = max(len(shown(row[name])) for row in rows)
            table.add_column(name, justify="right", min_width=widest, overflow="fold")
        else:
            table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row.values()))
    console = Console()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    console.print(table)
