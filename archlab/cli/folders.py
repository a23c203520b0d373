"""Where studies and reports are, as options that several commands share, and names of files in them."""

import re
from pathlib import Path

import click

DEFAULT_STUDIES = Path("studies")

studies_option = click.option("--studies", type=click.Path(path_type=Path), default=DEFAULT_STUDIES, show_default=True)
reports_option = click.option("--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)


_LONGEST_NAME = 60


def file_name(architecture: str) -> str:
    """What a user called an architecture as a part of a file's name; of a long one the end."""
    return re.sub(r"[^\w.+]+", "_", architecture).strip("._")[-_LONGEST_NAME:] or "_"
