from typing import Any

import pytest
import torch
from diffusers.optimization import get_scheduler
from torch import nn

from archlab.architecture import UNetSpec
from archlab.encoders.prepare import Prepared
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import begin_training
from archlab.training.learning_rate import learning_rate_at
from archlab.training.settings import TrainingSettings

STEPS = 12


def diffusers_rates(decay: str, warmup: int) -> list[float]:
    """Those that diffusers' scheduler has after each of its steps."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    name = "constant_with_warmup" if decay == "constant" else decay
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=STEPS)
    rates = []
    for _ in range(STEPS):
        optimizer.step()
        scheduler.step()
        rates += scheduler.get_last_lr()
    return rates


@pytest.mark.parametrize("warmup", [0, 1, 5, STEPS - 1])
@pytest.mark.parametrize("decay", ["constant", "linear", "cosine"])
def test_learning_rate_is_that_of_diffusers_schedulers(decay: Any, warmup: int) -> None:
    settings = TrainingSettings(learning_rate=0.5, warmup_steps=warmup, decay=decay)
    ours = [learning_rate_at(step, STEPS, settings) for step in range(1, STEPS + 1)]
    assert ours == pytest.approx(diffusers_rates(decay, warmup), abs=1e-12)
    assert ours[0] > 0
    assert ours[-1] == pytest.approx(0.5 if decay == "constant" else 0)


def test_steps_are_as_long_as_the_learning_rate_says(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    # AdamW's first step moves each weight with a gradient by the learning rate, but for the decay of the weight
    def first_move(change: dict[str, Any]) -> float:
        training = begin_training(small_unet, prepared, settings.model_copy(update=change), seed=0)
        before = training.state()["unet.conv_out.bias"].clone()
        training.run(1)
        return (training.state()["unet.conv_out.bias"] - before).abs().item()

    assert first_move({}) == pytest.approx(settings.learning_rate, rel=0.01)
    assert first_move({"warmup_steps": 4}) == pytest.approx(settings.learning_rate / 4, rel=0.01)
    assert first_move({"rungs": (1,), "decay": "cosine"}) == 0  # it is the last
