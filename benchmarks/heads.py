"""Proxies that keep how many heads there are against those that keep how wide they are. Prints one JSON line.

Both order the same architectures (`heads_table.csv`, `shapes_table.csv`: two seeds each). ``kendall_tau`` of a rung is
with the longest training of the *other* kind of proxy, so that neither is judged by itself; its interval is over the
architectures. Seconds of a step are of one processor; of every architecture both kinds are timed in turn, and the least
of three rounds counts.
"""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from archlab.analysis.audit.agreement import Floats, kendall_tau
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.training import begin_training
from archlab.study.definition import StudyDefinition, load_definition
from archlab.training.training import Training

HERE = Path(__file__).parent
SPACE, TABLES = HERE / "shapes_space.yaml", {"count": HERE / "shapes_table.csv", "width": HERE / "heads_table.csv"}
_ROUNDS, _STEPS = 3, 3


def main() -> None:
    """Agreement from the tables, seconds measured."""
    torch.set_num_threads(1)
    definition = load_definition(SPACE)
    rungs, tables = definition.settings.proxy.rungs, {kind: pd.read_csv(path) for kind, path in TABLES.items()}
    names = tables["width"]["architecture"].unique()
    long = {kind: losses(table, names, rungs[-1]).mean(axis=0) for kind, table in tables.items()}
    seconds = seconds_a_step(definition, names)
    taus = {
        kind: {
            rung: [round(value, 3) for value in kendall_tau(losses(table, names, rung), long[other])] for rung in rungs
        }
        for (kind, table), other in zip(tables.items(), reversed(tables), strict=True)
    }
    line = {
        "benchmark": f"seconds of a training step with heads as wide as the target's, {len(names)} architectures",
        "ours": round(seconds["width"], 5),
        "theirs": round(seconds["count"], 5),
        "unit": "s of one processor",
        "ratio": round(seconds["count"] / seconds["width"], 3),
        "kendall_tau": taus,
    }
    print(json.dumps(line))


def losses(table: pd.DataFrame, names: np.ndarray, rung: int) -> Floats:
    """[S, N]."""
    by_seed = [rows.set_index("architecture")[f"val_loss_{rung}"].reindex(names) for _, rows in table.groupby("seed")]
    found: Floats = np.array(by_seed)
    return found


def seconds_a_step(definition: StudyDefinition, names: np.ndarray) -> dict[str, float]:
    """Of each kind, the mean over the architectures."""
    scale, space = definition.settings.proxy.scale, definition.space
    kinds = {
        kind: definition.settings.proxy.model_copy(update={"scale": scale.model_copy(update={"heads": kind})})
        for kind in TABLES
    }
    prepared = {kind: prepare_proxy(settings) for kind, settings in kinds.items()}
    specs = {spec.id: spec for spec in map(space.spec, space.all_values())}
    least = pd.DataFrame(
        _least(
            {
                kind: begin_training(proxy_spec(specs[name], settings), prepared[kind], settings, seed=0)
                for kind, settings in kinds.items()
            }
        )
        for name in names
    )
    return {kind: float(least[kind].mean()) for kind in kinds}


def _least(trainings: dict[str, Training]) -> dict[str, float]:
    for training in trainings.values():
        training.run(_STEPS, lambda: None)
    rounds = [{kind: _seconds(training) for kind, training in trainings.items()} for _ in range(_ROUNDS)]
    return {kind: min(one[kind] for one in rounds) for kind in trainings}


def _seconds(training: Training) -> float:
    begun = time.process_time()
    training.run(training.step + _STEPS, lambda: None)
    return (time.process_time() - begun) / _STEPS


if __name__ == "__main__":
    main()
