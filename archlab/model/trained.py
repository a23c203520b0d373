"""A trained network as a model."""

import archlab
from archlab.diffusion.sample import largest_latent
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.encoders.words import Words
from archlab.model.facts import ModelFacts, TrainingFacts
from archlab.model.model import Model
from archlab.model.schedulers import scheduler_for
from archlab.unet import UNet, build


def deployed(network: UNet) -> UNet:
    """A copy of a network in the form that is deployed, on the CPU, in evaluation mode."""
    unet = build(network.spec.deployed)
    unet.load_state_dict({name: weight.cpu() for name, weight in network.state_dict().items()})
    return unet.eval()


def trained_model(
    name: str,
    unet: UNet,
    prepared: Prepared,
    diffusion: DiffusionSettings,
    *,
    data: str,
    steps: int,
    guidance: float,
    training: TrainingFacts | None,
) -> Model:
    """The network with what it was trained on and draws with.

    Args:
        data: what it was trained on, as `archlab.data.load.load_data` reads it.
        steps, guidance: with which it draws unless asked otherwise.
    """
    text, spec = prepared.text, unet.spec
    return Model(
        unet=unet.eval(),
        scheduler=scheduler_for(diffusion, spec.sample_size, largest_latent(prepared)),
        codec=prepared.codec,
        text=text,
        facts=ModelFacts(
            name=name,
            architecture=spec.id,
            diffusion=diffusion,
            steps=steps,
            guidance=guidance,
            image_size=prepared.data.images.shape[-1],
            context_length=text.length,
            data=data,
            data_id=prepared.data.id,
            vocabulary=tuple(sorted(text.vocabulary)) if isinstance(text, Words) else (),
            training=training,
            archlab=archlab.__version__,
        ),
    )
