"""``python -m tests.fuzz --edits 2000``: random edits of a study's files; no command may end in a traceback.

Prints what each edit that was not borne did, and one JSON line at the end. The same seed makes the same edits.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.commands import COMMANDS, Outcome, put_back, run
from tests.fuzz.edits import edit_file
from tests.fuzz.studies import write_space, write_study

_WEIGHTS = {
    "study.yaml": 16,
    "baseline.json": 12,
    "confirmation.json": 8,
    "evaluation.json": 4,
    "architecture.yaml": 2,
}  # by what they hold


def main(arguments: list[str] | None = None) -> int:
    """Make the edits; 1 if a command did not end as commands do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    before, started = Path.cwd(), time.monotonic()
    codes: Counter[str] = Counter()
    slowest, unclean = 0.0, 0
    with tempfile.TemporaryDirectory(prefix="archlab fuzz ü ") as folder:
        os.chdir(folder)
        try:
            for said, outcome in outcomes(Path(folder), chosen.edits, chosen.seed):
                codes[f"{outcome.command.split()[0]}: {outcome.code}"] += 1
                slowest = max(slowest, outcome.seconds)
                if not outcome.is_clean:
                    unclean += 1
                    print(f"{said}: archlab {outcome.command}: {outcome.code}\n{outcome.said}", flush=True)
        finally:
            os.chdir(before)
    facts = {"edits": chosen.edits, "seed": chosen.seed, "unclean": unclean, "codes": dict(sorted(codes.items()))}
    print(json.dumps(facts | {"slowest_s": round(slowest, 1), "seconds": round(time.monotonic() - started)}))
    return int(unclean > 0)


def outcomes(folder: Path, edits: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Every edit with how each command ended; the working directory is the folder."""
    space = write_space(folder)
    study = write_study(space, folder / "studies", "mini", seed=1)
    write_study(space, folder / "studies", "other", seed=2)
    for number in range(edits):
        source = random.Random(f"{seed} {number}")
        with put_back(study):
            files = sorted(path for path in study.rglob("*") if path.is_file())
            (file,) = source.choices(files, [_WEIGHTS.get(path.name, 1) for path in files])
            said = f"edit {number}: {edit_file(file, source)}"
            for command in COMMANDS:
                yield said, run(command)


if __name__ == "__main__":
    sys.exit(main())
