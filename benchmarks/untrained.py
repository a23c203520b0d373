"""What the surrogate's score of an architecture takes, in steps of its training. Prints one JSON line a space.

Twenty architectures of each space, on one thread: the score is naswot as `archlab.proxy.untrained` has it, network and
all, a step is the training's. ``median`` is of the architectures' ratios.

``python benchmarks/untrained.py benchmarks/search_space.yaml benchmarks/shapes_space.yaml``
"""

import argparse
import json
import random
import time
from pathlib import Path
from statistics import median

import torch
from search import SPACE

from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.training import train
from archlab.proxy.untrained import naswot_of_proxy
from archlab.study.definition import load_definition

_ARCHITECTURES, _STEPS = 20, 20


def main() -> None:
    """Each of the spaces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spaces", type=Path, nargs="*", default=[SPACE, SPACE.with_name("shapes_space.yaml")])
    torch.set_num_threads(1)
    for path in parser.parse_args().spaces:
        ratios = steps_a_score(path)
        line = {
            "benchmark": f"a score at initialisation, {len(ratios)} architectures",
            "unit": "optimiser steps",
            "space": path.name,
            "median": round(median(ratios), 2),
            "least": round(min(ratios), 2),
            "most": round(max(ratios), 2),
        }
        print(json.dumps(line))


def steps_a_score(path: Path) -> list[float]:
    """Time of a score by time of a step, by architecture."""
    definition = load_definition(path)
    settings = definition.settings.proxy.model_copy(update={"rungs": (_STEPS,), "threads": 1})
    prepared, ratios = prepare_proxy(settings), []
    for values in random.Random(0).sample(list(definition.space.all_values()), _ARCHITECTURES):
        spec = definition.space.spec(values)
        started = time.process_time()
        naswot_of_proxy(spec, settings)
        scored = time.process_time()
        train(proxy_spec(spec, settings), prepared, settings, seed=0, score=lambda _: 0.0)
        ratios.append((scored - started) * _STEPS / (time.process_time() - scored))
    return ratios


if __name__ == "__main__":
    main()
