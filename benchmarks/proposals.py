"""Seconds that ``search.strategy: surrogate`` takes for a proposal after 100, 1,000 and 10,000 trials.

The trials are made up: a third is trained to the end, the others are paused at one of two rungs. The first proposal
fits the hyperparameters, as every tenth of growth does; the median is of those after it. Prints one JSON line.
``python benchmarks/proposals.py --trials 100 1000 10000``
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

import optuna

from archlab.cost import count
from archlab.evaluation import Evaluation
from archlab.study.definition import load_definition
from archlab.study.surrogate import Begun, SurrogateSearch

PROPOSALS = 5
STEPS_AN_HOUR = 50_000  # of training: with every proposal a search tells what an hour is expected to bring
SPACE = """
baseline: tiny
knobs:
  width: [0.5, 0.625, 0.75, 0.875, 1]
  transformers: [sd, no_stage0, low_res, middle, none]
  self_attention: [all, inner, middle, none]
  cross_attention: [all, inner, middle, none]
  kv_sharing: [none, self, all]
  ff_activation: [gelu, swish, relu]
  attention_normalizer: [softmax, relu]
  ff_ratio: {low: 2, high: 8, step: 1}
  conv: [standard, separable]
  res_blocks: [1/2, 1/1]
measure: []
objectives: [quality, macs_g]
proxy: {data: digits, scale: {sample_size: 8}, rungs: [30, 90, 270]}
search: {strategy: surrogate, trials: 10000}
"""


def main() -> None:
    """Time every number of trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", nargs="+", type=int, default=(100, 1_000, 10_000))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    line: dict[str, object] = {"benchmark": "processor seconds a proposal of the surrogate takes", "unit": "s"}
    for trials in parser.parse_args().trials:
        fitting, *others = seconds(trials)
        line[str(trials)] = {"with_fit": round(fitting, 3), "median": round(statistics.median(others), 3)}
    print(json.dumps(line))


def seconds(trials: int) -> list[float]:
    """Of the first proposals after so many trials."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proposals.yaml"
        path.write_text(SPACE, encoding="utf-8")
        definition = load_definition(path)
    search = SurrogateSearch(definition, optuna.create_study(), {})
    source = random.Random(0)
    begun = [made_up(number, definition.space.sample_values(source), search, source) for number in range(trials)]
    described = [search.candidates.describe(one.values) for one in begun]
    search.scores.work_out(described)  # as each was before it was begun
    known = {described[-1].id}
    taken = []
    for _ in range(PROPOSALS):
        started = time.process_time()
        search.choose(begun, known, may_begin=True, steps_an_hour=STEPS_AN_HOUR)
        taken.append(time.process_time() - started)
        begun.append(made_up(len(begun), definition.space.sample_values(source), search, source))
    return taken


def made_up(number: int, values: dict[str, object], search: SurrogateSearch, source: random.Random) -> Begun:
    """A trial whose quality follows its params, and chance."""
    cost = count(search.candidates.space.spec(values))
    reached = source.choice(search.rungs)
    quality = cost.params_m**-0.1 * (1 + 0.05 * source.random())
    qualities = {rung: quality * (1 + 10 / rung) for rung in search.rungs if rung <= reached}
    is_end = reached == search.rungs[-1]
    known = Evaluation(status="complete" if is_end else "stopped", params_m=cost.params_m, macs_g=cost.macs_g)
    return Begun(trial=number, values=values, known=known, qualities=qualities, is_resumable=not is_end)


if __name__ == "__main__":
    main()
