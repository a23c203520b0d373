"""What a proxy needs, made of its settings: data, encoders, scorer, and what draws images."""

from archlab.compute import ComputeSettings, device_of
from archlab.data.settings import DataSettings
from archlab.diffusion.process import AT_ONCE
from archlab.diffusion.sample import TextToImage
from archlab.diffusion.settings import DiffusionSettings, SamplingSettings
from archlab.encoders.prepare import DataWithEncoders, Prepared, data_with_encoders, prepare
from archlab.encoders.settings import EncoderSettings
from archlab.progress import Progress, silent
from archlab.proxy.settings import ProxySettings
from archlab.scores.scorer import Scorer
from archlab.scores.settings import JudgeSettings, ScoreSettings


def prepare_proxy(settings: ProxySettings, progress: Progress = silent) -> Prepared:
    """Its data, encoded; see `archlab.encoders.prepare.prepare`."""
    data, encoders = settings.part(DataSettings), settings.part(EncoderSettings)
    return prepare(data, encoders, settings.scale.sample_size, settings.part(ComputeSettings), progress)


def proxy_data_and_encoders(settings: ProxySettings) -> DataWithEncoders:
    """Its data and encoders; nothing is encoded."""
    data, encoders = settings.part(DataSettings), settings.part(EncoderSettings)
    return data_with_encoders(data, encoders, settings.scale.sample_size, settings.part(ComputeSettings))


def proxy_scorer(
    prepared: Prepared, settings: ProxySettings, at_once: int = AT_ONCE, progress: Progress = silent
) -> Scorer:
    """What scores it."""
    return Scorer(
        prepared,
        settings.part(DiffusionSettings),
        settings.sampling_steps,
        settings.part(ScoreSettings),
        settings.part(JudgeSettings),
        device_of(settings),
        at_once,
        progress,
    )


def text_to_image(prepared: Prepared, settings: ProxySettings, at_once: int = AT_ONCE) -> TextToImage:
    """What draws images with it."""
    return TextToImage(prepared, settings.part(DiffusionSettings), settings.part(SamplingSettings), at_once)
