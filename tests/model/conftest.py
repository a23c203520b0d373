"""A small model that draws digits, made once."""

import pytest

import archlab
from archlab.architecture import UNetSpec
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.model import Model
from archlab.model.facts import ModelFacts
from archlab.model.schedulers import scheduler_for
from archlab.proxy.training import Trained
from archlab.unet import UNet


@pytest.fixture(scope="session")
def model(small_unet: UNetSpec, trained: Trained, prepared: Prepared) -> Model:
    """On pixels, with word vectors; 200 steps of training, so that digits can be guessed."""
    assert isinstance(trained.unet, UNet)
    settings = DiffusionSettings()
    return Model(
        unet=trained.unet,
        scheduler=scheduler_for(settings, 8, 1.0),
        codec=prepared.codec,
        text=prepared.text,
        facts=ModelFacts(
            name="small",
            architecture=small_unet.id,
            diffusion=settings,
            steps=4,
            guidance=2.0,
            image_size=8,
            context_length=8,
            data="digits",
            data_id=prepared.data.id,
            vocabulary=("a", "handwritten", "three"),
            archlab=archlab.__version__,
        ),
    )
