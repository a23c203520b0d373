"""Trainings by formula: the long score is known, the short ones are it with more noise the shorter they are."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from archlab.cost import count
from archlab.evaluation import Evaluation, SeedResult
from archlab.study.callbacks import Callbacks
from archlab.study.evaluate import Job
from tests.made_up_facts import proxy_result, score, seed_result

NOISE = {2: 0.4, 4: 0.02}  # standard deviation at each rung; the scores are within 1
SECONDS = 0.5  # of a step


@dataclass
class Trainings:
    """Stands in for `evaluate`. Remembers what it was asked; can be interrupted, or fail after so many.

    Attributes:
        noise: of the quality at each rung, standard deviation.
        luck: of the long score between seeds, standard deviation.
        spread: within which the long scores are.
        more_from: steps from which other metrics are recorded, which have neither noise nor luck.
    """

    asked: list[str] = field(default_factory=list)
    interrupt_at: int | None = None
    fail_from: int | None = None
    noise: dict[int, float] = field(default_factory=lambda: NOISE)
    luck: float = 1e-6
    spread: float = 1.0
    more_from: int = 0

    def __call__(self, job: Job, callbacks: Callbacks) -> Evaluation:
        if self.interrupt_at == len(self.asked):
            self.interrupt_at = None
            raise KeyboardInterrupt
        self.asked.append(job.spec.id)
        cost, draw = count(job.spec), np.random.default_rng(int(job.spec.id[:8], 16))
        if self.fail_from is not None and len(self.asked) > self.fail_from:
            return Evaluation(status="failed", reason="the proxy diverged", params_m=cost.params_m, macs_g=cost.macs_g)
        long, rungs = self.spread * draw.random(), job.settings.proxy.rungs
        deviations = dict.fromkeys(rungs, self.luck) | self.noise
        more = {"adherence": score(1 - long), "kid": score(long)}
        runs: list[SeedResult] = []
        for seed in range(job.settings.proxy.seeds):
            losses = {rung: long + deviations[rung] * draw.standard_normal() for rung in rungs}
            scores = {
                rung: {"val_loss": score(loss)} | (more if rung >= self.more_from else {})
                for rung, loss in losses.items()
            }
            runs.append(seed_result(seed, losses, scores=scores))
        steps = np.arange(1, rungs[-1] + 1)
        curve = pd.DataFrame({"seed": 0, "step": steps, "loss": 1.0, "seconds": SECONDS * steps})
        curve.to_csv(job.folder / "curve.csv", index=False)
        proxy = proxy_result(long, by_seed=tuple(runs), zero_cost={"naswot": -long, "synflow": 1.0})
        return Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g, proxy=proxy)
