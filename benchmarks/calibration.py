"""How often the surrogate's 80 % intervals hold what it predicts, in searches over the table of `search.py`.

Every quality is predicted just before the search sees it, from what it has seen by then and with hyperparameters fitted
to that alone: at the rung that the architecture is trained to next, with its own lower rungs if it has any. The
intervals are those by which the search decides. Prints one JSON line, and with ``--chart`` draws the predictions at the
last rung.

``python benchmarks/calibration.py --seeds 0 40 --chart reports/search/calibration.png``
"""

import argparse
import json
import tempfile
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna
import pandas as pd
from matplotlib.figure import Figure
from proxy_results import proxy_result
from scipy.special import ndtri
from search import SPACE, Bench, Reached, Tally
from simulated_workers import SimulatedWorkers

from archlab.evaluation import Evaluation
from archlab.study import run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import load_definition
from archlab.study.evaluate import Job, Stages, costed
from archlab.study.surrogate.candidates import Candidates, inputs_of
from archlab.study.surrogate.fits import Fits, InMemory
from archlab.study.surrogate.history import Begun
from archlab.study.surrogate.quality import QualityModel
from archlab.study.surrogate.untrained import UntrainedScores

TABLE = Path(__file__).with_name("search_table.csv")
LEVEL, FIRST = 0.8, 5  # trainings before the first prediction that counts
HALF = float(ndtri((1 + LEVEL) / 2))


class Prediction(NamedTuple):
    """Of log quality, before it was seen."""

    rung: int
    is_begun: bool
    observed: float
    mean: float
    sd: float


class History:
    """What a search has seen, and what it expected of that."""

    def __init__(self, bench: Bench) -> None:
        space = bench.definition.space
        self.rungs, self.candidates, self.fits = bench.rungs, Candidates(space, seed=0), Fits(InMemory())
        self.scores = UntrainedScores(InMemory(), self.candidates, lambda one: bench.naswot[one.id])
        self.values = {space.spec(values).id: values for values in space.all_values()}
        self.begun: dict[str, Begun] = {}
        self.predictions: list[Prediction] = []

    def see(self, architecture: str, rung: int, loss: float) -> None:
        """Predict it, then know it."""
        known = self.begun.get(architecture)
        if len(self.begun) >= FIRST:
            order = [name for name in self.begun if name != architecture] + [architecture]
            begun = [self.begun[name] for name in order if name in self.begun]
            architectures = [self.candidates.describe(self.values[name]) for name in order]
            self.scores.work_out(architectures)
            inputs = replace(inputs_of(architectures), trend=self.scores.trend(architectures))
            model = QualityModel(
                rungs=self.rungs, groups=self.candidates.groups, fits=self.fits, begun=begun, inputs=inputs
            )
            mean, sd = model.process.predict(inputs[-1:].at(model.last - self.rungs.index(rung)))
            self.predictions.append(Prediction(rung, known is not None, np.log(loss), mean.item(), sd.item()))
        qualities = {} if known is None else dict(known.qualities)
        self.begun[architecture] = Begun(
            trial=len(self.begun), values=self.values[architecture], qualities=qualities | {rung: loss}
        )


def searched(bench: Bench) -> list[Prediction]:
    """One search, by archlab's driver; see `search.by_archlab`."""
    tally, history, rungs = Tally(bench), History(bench), bench.rungs

    def evaluate(job: Job, callbacks: Callbacks) -> Evaluation:
        losses, rung = bench.losses[job.spec.id], job.until or rungs[-1]
        stopped_at = None if rung == rungs[-1] else rung
        proxy = proxy_result(losses[rung], {step: loss for step, loss in losses.items() if step <= rung}, stopped_at)
        return replace(costed(job.spec, {}), status="stopped" if stopped_at else "complete", proxy=proxy)

    def told(job: Job, evaluation: Evaluation, steps: int) -> None:
        assert evaluation.proxy is not None
        rung = evaluation.proxy.steps
        history.see(job.spec.id, rung, bench.losses[job.spec.id][rung])
        tally.add(job.spec.id, rung, steps)

    executor = SimulatedWorkers(1, evaluate, told)
    with tempfile.TemporaryDirectory() as folder, closing(executor), suppress(Reached):
        definition = bench.definition.with_settings(search=bench.search_by("surrogate"))
        stages = Stages(score=lambda spec, _: bench.naswot[spec.id])
        run_study(definition, root=folder, executor=executor, stages=stages)
    return history.predictions


def covered(predictions: list[Prediction]) -> dict[str, float]:
    """The share inside its interval, and of how many."""
    inside = [abs(one.observed - one.mean) <= HALF * one.sd for one in predictions]
    return {"percent": round(100 * float(np.mean(inside)), 1), "predictions": len(inside)} if inside else {}


def draw(predictions: list[Prediction], path: Path) -> None:
    """Predicted against observed at the last rung, and how often intervals of every level hold it."""
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    observed, mean, sd = (np.array([getattr(one, name) for one in predictions]) for name in ("observed", "mean", "sd"))
    ends = [np.exp(mean - HALF * sd), np.exp(mean), np.exp(mean + HALF * sd)]
    left.errorbar(np.exp(observed), ends[1], [ends[1] - ends[0], ends[2] - ends[1]], fmt="o", ms=3, lw=0.6, alpha=0.4)
    left.axline((float(np.exp(observed.min())),) * 2, slope=1, color="black", lw=1, ls=":")
    left.set(xlabel="observed validation loss", ylabel="predicted before it was seen, with 80 % interval")
    levels = np.linspace(0.05, 0.95, 19)
    held = [(np.abs(observed - mean) <= ndtri((1 + level) / 2) * sd).mean() for level in levels]
    right.plot(100 * levels, 100 * np.array(held), "o-", ms=4)
    right.axline((0, 0), slope=1, color="black", lw=1, ls=":")
    right.set(xlabel="level of the interval (%)", ylabel="observations inside (%)", xlim=(0, 100), ylim=(0, 100))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    """All seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 40), help="the first, and one beyond the last")
    parser.add_argument("--chart", type=Path)
    wanted = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    definition, table = load_definition(SPACE), pd.read_csv(TABLE)
    seeds = range(*wanted.seeds)
    found = [one for seed in seeds for one in searched(Bench(definition, table, seed, (0.95,), "macs_g"))]
    last = [one for one in found if one.rung == definition.settings.proxy.rungs[-1]]
    line = {
        "benchmark": f"share of observations inside the surrogate's 80 % intervals, {len(seeds)} searches",
        "unit": "%",
        "all": covered(found),
        "not_begun": covered([one for one in found if not one.is_begun]),
        "begun": covered([one for one in found if one.is_begun]),
        "last_rung": covered(last),
    }
    if wanted.chart is not None:
        draw(last, wanted.chart)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
