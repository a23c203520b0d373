"""The end of a training: a whole model's folder."""

from pathlib import Path

from archlab.model.card import write_card
from archlab.model.folder import FACTS_FILE, INDEX_FILE, write_model
from archlab.model.train.run import TrainingRun


def finish(run: TrainingRun, folder: Path) -> None:
    """Write the model beside its state, ``archlab.json``, which makes the folder one, last.

    An older model of fewer steps is none as soon as its first file is replaced.
    """
    model = run.model()
    run.draw(model, "final")
    for name in (INDEX_FILE, FACTS_FILE):
        (folder / name).unlink(missing_ok=True)
    write_card(model, folder, run.prompts[0], run.inherited)
    write_model(model, folder)
