"""The quickstart as it is shipped, against Optuna's TPE with twice its training: whose front covers more.

Both are archlab's own driver and train for real: the surrogate with the quickstart's rungs and trials, TPE to the last
rung with every trial, as many trials as have twice the steps that the surrogate took, the baseline's included. With the
same seed both begin at the same baseline, and an architecture that both train has the same quality: it is trained once
and found in the cache. Both fronts are judged in one box, as `archlab compare` does, by hypervolume.

Every search has its own folder below ``--folder``, so that one that was killed goes on; with a new seed the trainings
are new. ``--cost macs_g`` puts MACs, which are the same on every machine, in the place of the measured latency.
Prints one JSON line.

``python benchmarks/quickstart.py --seeds 0 5 --cost macs_g``
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from archlab.analysis.hypervolume import covered
from archlab.study import run_study
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.settings import Constraints, StopSettings

SPACE = Path(__file__).parents[1] / "search_spaces" / "quickstart.yaml"


class Found(NamedTuple):
    """What a search came to.

    Attributes:
        steps: of training, of all trials and the baseline.
        points: objectives of what was trained to the end, [N, 2].
        on_front: how many of them are on the front.
    """

    steps: int
    points: np.ndarray
    on_front: int


def main() -> None:
    """Both strategies with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 5), help="the first, and one beyond the last")
    parser.add_argument("--cost", choices=("latency_ms", "macs_g"), default="latency_ms")
    parser.add_argument("--folder", type=Path, help="keeps the studies; absent: they are made anew and thrown away")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = wanted.folder or Path(temporary)
        pairs = [both(seed, wanted.cost, folder) for seed in range(*wanted.seeds)]
    ours, theirs = zip(*pairs, strict=True)
    shares = [[covered(found.points, among=_all(pair)) for found in pair] for pair in pairs]
    line = {
        "benchmark": f"hypervolume of the quickstart's front, quality and {wanted.cost}; TPE with twice the training",
        "unit": "share",
        "ours": round(median(own for own, _ in shares), 4),
        "theirs": round(median(other for _, other in shares), 4),
        "ratio": round(median(own / other for own, other in shares), 3),
        "at_least_as_good": sum(own >= other for own, other in shares),
        "of": len(shares),
        "shares": [[round(share, 4) for share in pair] for pair in shares],
        "steps": {"surrogate": [found.steps for found in ours], "tpe": [found.steps for found in theirs]},
        "trained": {"surrogate": [len(found.points) for found in ours], "tpe": [len(found.points) for found in theirs]},
        "on_front": {"surrogate": [found.on_front for found in ours], "tpe": [found.on_front for found in theirs]},
    }
    print(json.dumps(line))


def both(seed: int, cost: str, folder: Path) -> tuple[Found, Found]:
    """What the surrogate found with one seed, then TPE."""
    shipped = _judged_by(load_definition(SPACE), seed, cost)
    ours = _searched(shipped, folder / f"surrogate_{cost}_{seed}")
    proxy, search = shipped.settings.proxy, shipped.settings.search
    last = proxy.rungs[-1]
    trials = round(2 * ours.steps / last) - 1  # besides the baseline
    tpe = shipped.with_settings(
        proxy=proxy.model_copy(update={"rungs": (last,)}),
        search=search.model_copy(update={"strategy": "tpe", "trials": trials, "stop": StopSettings()}),
    )
    return ours, _searched(tpe, folder / f"tpe_{cost}_{seed}")


def _judged_by(definition: StudyDefinition, seed: int, cost: str) -> StudyDefinition:
    """The study with this seed, and with MACs instead of the latency."""
    definition = definition.with_settings(search=definition.settings.search.model_copy(update={"seed": seed}))
    if cost == "latency_ms":
        return definition
    return definition.with_settings(measure=(), constraints=Constraints(), objectives=("quality", cost))


def _searched(definition: StudyDefinition, root: Path) -> Found:
    study = run_study(definition, root=root)
    proxies = [record.evaluation.proxy for record in study.records]
    if not any(record.is_free for record in study.records):  # the baseline is no trial, and was trained besides
        proxies.append(study.baseline_proxy)
    steps = sum(proxy.steps for proxy in proxies if proxy is not None)
    trained = study.trials[study.trials["status"] == "complete"]
    return Found(steps, trained[list(definition.settings.objectives)].to_numpy(float), len(study.front))


def _all(pair: tuple[Found, Found]) -> np.ndarray:
    return np.vstack([found.points for found in pair])


if __name__ == "__main__":
    main()
