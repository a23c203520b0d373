"""`count(sd15)` by formula against building the module and asking fvcore, in one run. Prints one JSON line.

``fresh_random_spec_ms`` is the median over specs of the shipped space that were never counted before.
"""

import json
import logging
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from fvcore.nn import FlopCountAnalysis

from archlab.architecture import UNetSpec, preset
from archlab.convert import example_inputs
from archlab.cost import count
from archlab.space import load_space
from archlab.unet import build

SPACE = Path(__file__).parents[1] / "search_spaces" / "mobilediffusion.yaml"
MATRIX_PRODUCTS = ("conv", "linear", "addmm", "matmul", "bmm")


def milliseconds(spec: UNetSpec) -> float:
    """Time of one count."""
    started = time.perf_counter()
    count(spec)
    return (time.perf_counter() - started) * 1e3


def main() -> None:
    """Time both ways and compare what both count."""
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    spec = preset("sd15")
    # Another context length each time, so that nothing counted before can be remembered.
    ours_ms = statistics.median(milliseconds(replace(spec, context_length=length)) for length in range(78, 178))
    space = load_space(SPACE)
    fresh_ms = statistics.median(milliseconds(space.sample(seed)) for seed in range(1000))
    started = time.perf_counter()
    unet = build(spec).eval()
    analysis = FlopCountAnalysis(unet, tuple(example_inputs(spec).values())).unsupported_ops_warnings(False)
    by_operator = analysis.by_operator()
    theirs_ms = (time.perf_counter() - started) * 1e3
    products = sum(macs for name, macs in by_operator.items() if name in MATRIX_PRODUCTS)
    print(
        json.dumps(
            {
                "benchmark": "cost of sd15: formula against module and fvcore",
                "ours": round(ours_ms, 4),
                "theirs": round(theirs_ms, 1),
                "unit": "ms",
                "ratio": round(theirs_ms / ours_ms),
                "fresh_random_spec_ms": round(fresh_ms, 4),
                "macs_without_attention": count(spec).macs_without_attention,
                "fvcore_matrix_products": int(products),
                "equal": count(spec).macs_without_attention == int(products),
            }
        )
    )


if __name__ == "__main__":
    main()
