"""Train every architecture of ``search_space.yaml`` and keep what came out in ``search_table.csv``, one folder up.

One row for each architecture, and a second one, of another training seed, for some of them, which tell the noise: knob
values, params and MACs of the target, validation loss of the proxy at every rung. A row is written when it is there;
those that are there are not trained again. About half an hour on two cores:
``python benchmarks/tables/search_table.py --workers 2``.
"""

import argparse
import csv
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from archlab.cost import count
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.training import train
from archlab.scores.validation import ValidationLoss
from archlab.space import SearchSpace, label
from archlab.space.knobs import Value
from archlab.study.definition import load_definition

BENCHMARKS = Path(__file__).parents[1]
SPACE = BENCHMARKS / "search_space.yaml"
TABLE = BENCHMARKS / "search_table.csv"
TRAINED_TWICE = 20
Point = dict[str, Value]


def main() -> None:
    """Train what the table does not have yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1)
    workers = parser.parse_args().workers
    missing = list(find_missing(load_definition(SPACE).space))
    print(f"{len(missing)} runs to go")
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for future in as_completed([pool.submit(measure, values, seed) for values, seed in missing]):
            append(future.result())


def find_missing(space: SearchSpace) -> Iterator[tuple[Point, int]]:
    """What has no row, each with its seed; in an order that leaves any part a random sample."""
    known = {(row["architecture"], int(row["seed"])) for row in read()}
    architectures: dict[str, Point] = {}
    for values in space.all_values():
        architectures.setdefault(space.spec(values).id, values)
    order = random.Random(0).sample(list(architectures.items()), len(architectures))
    for seed, chosen in ((0, order), (1, order[:TRAINED_TWICE])):
        yield from ((values, seed) for name, values in chosen if (name, seed) not in known)


def measure(values: Point, seed: int) -> dict[str, Any]:
    """Train one architecture's proxy with one seed."""
    definition = load_definition(SPACE)
    spec, settings = definition.space.spec(values), definition.settings.proxy
    prepared = prepare_proxy(settings)
    score = ValidationLoss(prepared, settings)
    trained = train(proxy_spec(spec, settings), prepared, settings, seed=seed, score=score)
    cost = count(spec)
    return {
        "architecture": spec.id,
        **{name: label(value) for name, value in values.items()},
        "params_m": round(cost.params_m, 6),
        "macs_g": round(cost.macs_g, 6),
        "seed": seed,
        **{f"val_loss_{rung}": round(loss, 6) for rung, loss in trained.rungs.items()},
    }


def read() -> list[dict[str, str]]:
    """The table's rows; none before the first."""
    if not TABLE.exists():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(row: dict[str, Any]) -> None:
    """Add one row, and the header before the first."""
    is_new = not TABLE.exists()
    with TABLE.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
