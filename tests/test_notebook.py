"""The notebook of the docs runs, and what is in it shows itself."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each cell shows by its last line, by MIME type."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = str(tmp_path_factory.mktemp("notebook"))
    NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {
        cell.source.splitlines()[-1]: output["data"]
        for cell in cells
        for output in cell.outputs
        if output.output_type == "execute_result"
    }


def test_everything_shows_itself(shown: dict[str, dict[str, Any]]) -> None:
    assert shown["study"]["text/plain"].startswith("<Study small: 5 asked: 5 trained; ")
    assert "knee" in shown["study"]["text/html"]
    for chart in ("study.plot()", 'study.plot("history")'):
        assert "image/png" in shown[chart]
    assert shown["winner"]["text/html"].startswith("<svg")
    assert " M params, " in shown["count(winner)"]["text/plain"]
    drawn = next(data for line, data in shown.items() if ".generate(" in line)
    assert drawn["text/html"].count("data:image/png") == 6
    assert "a handwritten three, seed 0" in drawn["text/html"]


def test_the_committed_notebook_has_what_it_shows() -> None:
    committed = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(committed)
    cells = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells[1:])
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
