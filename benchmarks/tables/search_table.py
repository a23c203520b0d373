"""Train every architecture of a space and keep what came out in a table beside it, for `benchmarks/search.py`.

One row for each architecture and training seed: knob values, params and MACs of the target, scores at initialisation
where the space asks for them, and the proxy's validation loss, of all times and of each quarter of the process, at
every rung. A row is written when it is there; those that are there are not trained again.

``python benchmarks/tables/search_table.py benchmarks/search_space.yaml --twice 20 --workers 2``: half an hour.
``python benchmarks/tables/search_table.py benchmarks/shapes_space.yaml --twice 160 --validation-images 256``: an hour.
The same with ``--architectures 20 --heads width --out benchmarks/heads_table.csv``: what `benchmarks/heads.py` reads.
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
from torch import nn

from archlab.architecture import KeptOfHeads
from archlab.cost import count
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.training import train
from archlab.scores.validation import VALIDATION_IMAGES, ValidationLoss
from archlab.scores.zero_cost import zero_cost
from archlab.space import SearchSpace, label
from archlab.space.knobs import Value
from archlab.study.definition import load_definition

Point = dict[str, Value]


def main() -> None:
    """Train what the table does not have yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", type=Path, help="NAME_space.yaml; the table is NAME_table.csv beside it")
    parser.add_argument("--architectures", type=int, help="a random sample of so many; absent: all")
    parser.add_argument("--twice", type=int, default=20, help="architectures that are trained with a second seed")
    parser.add_argument("--heads", choices=("count", "width"), default="count", help="proxy.scale.heads")
    parser.add_argument("--out", type=Path, help="another table")
    parser.add_argument("--validation-images", type=int, default=VALIDATION_IMAGES)
    parser.add_argument("--workers", type=int, default=1)
    wanted = parser.parse_args()
    table = wanted.out or wanted.space.with_name(wanted.space.stem.replace("_space", "_table") + ".csv")
    space = load_definition(wanted.space).space
    missing = list(find_missing(space, read(table), wanted.architectures, wanted.twice))
    print(f"{len(missing)} runs to go")
    with ProcessPoolExecutor(wanted.workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        runs = [pool.submit(measure, wanted.space, *each, wanted.heads, wanted.validation_images) for each in missing]
        for future in as_completed(runs):
            append(table, future.result())


def find_missing(
    space: SearchSpace, rows: list[dict[str, str]], most: int | None, twice: int
) -> Iterator[tuple[Point, int]]:
    """What has no row, each with its seed; in an order that leaves any part a random sample."""
    known = {(row["architecture"], int(row["seed"])) for row in rows}
    architectures: dict[str, Point] = {}
    for values in space.all_values():
        architectures.setdefault(space.spec(values).id, values)
    order = random.Random(0).sample(list(architectures.items()), len(architectures))
    for index, (name, values) in enumerate(order[:most]):
        yield from ((values, seed) for seed in range(2 if index < twice else 1) if (name, seed) not in known)


def measure(path: Path, values: Point, seed: int, heads: KeptOfHeads, validation_images: int) -> dict[str, Any]:
    """Train one architecture's proxy with one seed."""
    definition = load_definition(path)
    space, settings = definition.space, definition.settings.proxy
    settings = settings.model_copy(update={"scale": settings.scale.model_copy(update={"heads": heads})})
    spec, prepared = space.spec(values), prepare_proxy(settings)
    shrunk, cost = proxy_spec(spec, settings), count(spec)
    validation, scores = ValidationLoss(prepared, settings, images=validation_images), list[dict[str, float]]()

    def score(network: nn.Module) -> float:
        scores.append({name: each.value for name, each in validation.scores(network).items()})
        return scores[-1]["val_loss"]

    trained = train(shrunk, prepared, settings, seed=seed, score=score)
    untrained = zero_cost(shrunk, prepared, settings) if settings.zero_cost else {}
    return {
        "architecture": spec.id,
        **{name: label(values[name]) if name in values else "" for name in space.knobs},
        "params_m": round(cost.params_m, 6),
        "macs_g": round(cost.macs_g, 6),
        **untrained,
        "seed": seed,
        **{
            f"{name}_{rung}": round(value, 6)
            for rung, found in zip(settings.rungs, scores, strict=True)
            for name, value in found.items()
        },
        "train_seconds": round(trained.seconds, 2),
    }


def read(table: Path) -> list[dict[str, str]]:
    """The table's rows; none before the first."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(table: Path, row: dict[str, Any]) -> None:
    """Add one row, and the header before the first; its columns are those of the rows that are there."""
    rows = read(table)
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0] if rows else row), extrasaction="ignore", lineterminator="\n")
        if not rows:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
