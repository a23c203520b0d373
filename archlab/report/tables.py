"""The report's tables as files for spreadsheets, READMEs and papers."""

from pathlib import Path

import pandas as pd

from archlab.files import write_text
from archlab.report.table import text


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Each table as ``<name>.csv`` (full precision), ``.md`` and ``.tex`` (four significant digits)."""
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", to_csv(table))
        write_text(folder / f"{name}.md", to_markdown(table))
        write_text(folder / f"{name}.tex", to_latex(table))


def to_csv(table: pd.DataFrame) -> str:
    """Comma-separated, full precision, empty cells where nothing was measured."""
    return table.to_csv(index=False, lineterminator="\n")


def to_markdown(table: pd.DataFrame) -> str:
    """A pipe table (GitHub's Markdown); columns of numbers to the right."""
    rule = ["--:" if pd.api.types.is_numeric_dtype(table[name]) else ":--" for name in table]
    rows = [list(table), *table.astype(object).map(text).to_numpy().tolist()]
    lines = [" | ".join(_escape(str(cell)) for cell in row) for row in rows]
    lines.insert(1, " | ".join(rule))
    return "".join(f"| {line} |\n" for line in lines)


def to_latex(table: pd.DataFrame) -> str:
    """A ``tabular`` with booktabs rules, special characters escaped."""
    columns = "".join("r" if pd.api.types.is_numeric_dtype(table[name]) else "l" for name in table)
    escaped = table.astype(object).map(text)
    latex = escaped.to_latex(index=False, escape=True, column_format=columns)
    for character, command in {"Δ": r"$\Delta$", "±": r"$\pm$", "−": "$-$"}.items():
        latex = latex.replace(character, command)
    return latex


def _escape(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
