"""One undisturbed training, with which others are compared."""

from pathlib import Path

import pytest

from archlab.architecture import UNetSpec
from archlab.model.train import train_model
from tests.model.train.trainings import small


@pytest.fixture(scope="session")
def undisturbed(tiny_unet: UNetSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished model's folder, left as it is."""
    return train_model(tiny_unet, small(), tmp_path_factory.mktemp("models") / "undisturbed")
