"""100,000 specs of the shipped space sampled, validated and counted on one core. Prints one JSON line.

``theirs`` is what one does without formulas: build each module on the meta device and ask torch's FlopCounterMode,
which needs neither weights nor arithmetic. It is timed on 20 of the same specs and scaled up. Both are CPU time, which
is what a core with nothing else to do takes.
"""

import json
import time
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.space import load_space
from archlab.unet import build

SPACE = Path(__file__).parents[1] / "search_spaces" / "mobilediffusion.yaml"
SPECS, THEIR_SPECS = 100_000, 20


def macs_by_torch(spec: UNetSpec) -> int:
    """One spec as a module without weights."""
    with torch.device("meta"), torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        unet = build(spec)
        sample = torch.zeros(1, spec.in_channels, spec.sample_size, spec.sample_size)
        context = torch.zeros(1, spec.context_length, spec.context_dim)
        with FlopCounterMode(display=False) as counter:
            unet(sample, torch.zeros(1), context)
    return int(counter.get_total_flops()) // 2


def main() -> None:
    """Time both ways and compare what both count."""
    torch.set_num_threads(1)
    space = load_space(SPACE)
    started = time.process_time()
    for seed in range(SPECS):
        count(space.sample(seed))
    ours_s = time.process_time() - started
    specs = [space.sample(seed) for seed in range(THEIR_SPECS)]
    macs_by_torch(specs[0])  # torch's own first call
    started = time.process_time()
    theirs = [macs_by_torch(spec) for spec in specs]
    theirs_s = (time.process_time() - started) / THEIR_SPECS * SPECS
    print(
        json.dumps(
            {
                "benchmark": f"{SPECS:,} specs sampled, validated and counted",
                "ours": round(ours_s, 2),
                "theirs": round(theirs_s),
                "theirs_scaled_from": THEIR_SPECS,
                "unit": "CPU seconds",
                "ratio": round(theirs_s / ours_s),
                "equal": theirs == [count(spec).macs for spec in specs],
            }
        )
    )


if __name__ == "__main__":
    main()
