"""archlab's training of a proxy against diffusers' UNet in the plain loop of diffusers' own text-to-image example.

Both have the same architecture, initial weights, batches and optimiser settings, and take their steps in turn, each
side going first as often as the other. Prints one JSON line; the loop is that of `archlab.training.training.Training`.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch.utils._python_dispatch import TorchDispatchMode

from archlab.architecture import preset
from archlab.cost import count
from archlab.diffusion.process import NoisyBatch
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings, Scale
from archlab.proxy.training import begin_training, examples
from archlab.training.optimizer import MAX_GRADIENT_NORM
from archlab.unet import to_diffusers
from archlab.unet.untrained import untrained

SEED, WARM_UP = 0, 2
PRODUCTS = ("mm", "addmm", "bmm", "convolution", "convolution_backward")


@dataclass(frozen=True)
class Size:
    """A proxy of the preset ``tiny``, and for how many steps it is trained."""

    width: float
    sample_size: int
    batch_size: int
    steps: int

    @property
    def settings(self) -> ProxySettings:
        return ProxySettings(
            data="digits",
            scale=Scale(width=self.width, sample_size=self.sample_size),
            rungs=(WARM_UP + self.steps,),
            batch_size=self.batch_size,
            device="cpu",
        )


SIZES = (Size(0.22, 8, 64, 60), Size(0.45, 32, 16, 8))


@dataclass
class Timed:
    """What was measured of one side, step by step."""

    wall_seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def take(self, step: Callable[[], float]) -> None:
        """Measure one step, which gives its loss."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.losses.append(step())
        self.wall_seconds.append(time.perf_counter() - wall)
        self.cpu_seconds.append(time.process_time() - cpu)


class PlainLoop:
    """diffusers' examples/text_to_image/train_text_to_image.py without accelerate, on archlab's batches."""

    def __init__(self, unet: UNet2DConditionModel, settings: ProxySettings, given: Iterator[NoisyBatch]) -> None:
        self._unet, self._batches = unet.train(), given
        self._optimizer = torch.optim.AdamW(unet.parameters(), lr=settings.learning_rate)
        self._ema = EMAModel(
            unet.parameters(), settings.ema_decay, model_cls=UNet2DConditionModel, model_config=unet.config
        )

    def step(self) -> float:
        batch = next(self._batches)
        prediction = self._unet(batch.noisy, batch.timesteps, batch.context, return_dict=False)[0]
        loss = F.mse_loss(prediction.float(), batch.target.float(), reduction="mean")
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(self._unet.parameters(), MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._ema.step(self._unet.parameters())
        return loss.detach().item()


class MatrixProducts(TorchDispatchMode):
    """Notes every matrix product and convolution, to do them again with nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[Callable[[], Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket.__name__ in PRODUCTS:
            self._calls.append(lambda: function(*args, **(kwargs or {})))
        return result

    @torch.no_grad()
    def again(self) -> float:
        for call in self._calls:
            call()
        return 0.0


def main() -> None:
    """Measure both sizes on one thread, then on two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, help="measured steps at every size")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    rows = [
        compared(Size(size.width, size.sample_size, size.batch_size, arguments.steps or size.steps), threads)
        for threads in arguments.threads
        for size in SIZES
    ]
    least = min(rows, key=lambda row: row["ratio"])
    line = {"benchmark": "training of a proxy", **{name: least[name] for name in ("ours", "theirs")}}
    print(json.dumps({**line, "unit": "images/s", "ratio": least["ratio"], "load": os.getloadavg()[0], "runs": rows}))


def compared(size: Size, threads: int) -> dict[str, Any]:
    """Both sides at one size."""
    torch.set_num_threads(threads)
    settings = size.settings
    prepared, spec = prepare_proxy(settings), proxy_spec(preset("tiny"), settings)
    training = begin_training(spec, prepared, settings, seed=SEED)
    loop = PlainLoop(
        to_diffusers(untrained(spec, SEED)), settings, examples(prepared, settings).first(settings.rungs[-1], SEED)
    )

    def our_step() -> float:
        training.run(training.step + 1)
        return training.curve[-1].loss

    sides = [(Timed(), our_step), (Timed(), loop.step)]
    for _ in range(WARM_UP + size.steps):
        for timed, step in sides:
            timed.take(step)
        sides.reverse()
    (ours, _), (theirs, _) = sides if (WARM_UP + size.steps) % 2 == 0 else sides[::-1]
    return {
        "sample_size": size.sample_size,
        "params_m": round(count(spec).params / 1e6, 2),
        "batch_size": size.batch_size,
        "steps": size.steps,
        "threads": threads,
        "ours": round(size.batch_size / min(ours.wall_seconds), 1),
        "theirs": round(size.batch_size / min(theirs.wall_seconds), 1),
        **ratios(ours, theirs),
        "loss_difference": max(abs(a - b) / b for a, b in zip(ours.losses, theirs.losses, strict=True)),
        "last_losses": (round(ours.losses[-1], 4), round(theirs.losses[-1], 4)),
        **products(our_step, min(ours.cpu_seconds), size, count(spec).macs),
    }


def ratios(ours: Timed, theirs: Timed) -> dict[str, Any]:
    """Theirs over ours: of the fastest steps, and the quartiles over pairs of steps, in wall and in processor time."""
    of_pairs = [b / a for a, b in zip(ours.wall_seconds[WARM_UP:], theirs.wall_seconds[WARM_UP:], strict=True)]
    return {
        "ratio": round(min(theirs.wall_seconds) / min(ours.wall_seconds), 3),
        "ratio_in_cpu_time": round(min(theirs.cpu_seconds) / min(ours.cpu_seconds), 3),
        "ratio_of_pairs": [round(quartile, 3) for quartile in statistics.quantiles(of_pairs, n=4)],
    }


def products(step: Callable[[], float], step_seconds: float, size: Size, macs: int) -> dict[str, Any]:
    """What the matrix products of a step take with nothing else, in processor time.

    A step's are three times the forward pass's, and those that attention makes again for its gradient.
    """
    with MatrixProducts() as noted:
        step()
    alone = Timed()
    for _ in range(5):
        alone.take(noted.again)
    alone_seconds = min(alone.cpu_seconds)
    return {
        "step_ms": round(step_seconds * 1000, 1),
        "matrix_products_ms": round(alone_seconds * 1000, 1),
        "share_in_matrix_products": round(alone_seconds / step_seconds, 3),
        "gmacs_per_s": round(3 * macs * size.batch_size / step_seconds / 1e9, 1),
    }


if __name__ == "__main__":
    main()
