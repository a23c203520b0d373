"""A latency table of a search space, audited on held-out architectures. Prints one JSON line.

By default of search_spaces/mobilediffusion.yaml at width 0.25 and 32×32, TFLite, one thread, 20 held out. Killed and
started again it goes on.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from archlab.latency.table.audit import audit
from archlab.latency.table.build import Step, build_table
from archlab.latency.table.estimate import open_table
from archlab.space import load_space

SPACE = Path(__file__).parents[1] / "search_spaces" / "mobilediffusion.yaml"


def main() -> None:
    """Build what is missing, then estimate what was held out."""
    arguments = _arguments()
    space = load_space(arguments.space)
    started = time.perf_counter()
    built = build_table(
        space,
        "tflite",
        arguments.out,
        width=arguments.width,
        sample_size=arguments.sample_size,
        fitted=arguments.fit,
        checked=arguments.check,
        threads=1,
        progress=_tell,
    )
    this_run_s = time.perf_counter() - started
    opened = open_table(built.path)
    held_out = asdict(audit(opened.table, opened.fit))
    print(
        json.dumps(
            {
                "benchmark": f"latency table of {space.name}: estimate against convert and measure",
                "ours": held_out["estimate_ms"],
                "theirs": held_out["measure_ms"],
                "unit": "ms",
                **held_out,
                "band_percent": 100 * opened.fit.band,
                "pieces": len(opened.table.pieces),
                "architectures_in_space": space.size,
                "build_s": opened.table.seconds,
                "this_run_s": this_run_s,
                "corrections": opened.fit.corrections(),
                "table": str(built.path),
            }
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", type=Path, default=SPACE)
    parser.add_argument("--out", type=Path, help="by default in archlab's cache folder")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--sample-size", type=int, default=32)
    parser.add_argument("--fit", type=int, default=24)
    parser.add_argument("--check", type=int, default=20)
    return parser.parse_args()


def _tell(step: Step) -> None:
    print(f"{step.done}/{step.bursts}, {step.seconds_left / 60:.0f} min left: {step.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
