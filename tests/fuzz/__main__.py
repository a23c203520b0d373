"""``python -m tests.fuzz --minutes 10``: random edits of what people have; no command may end in a traceback.

Search spaces, architectures, diffusers configs, studies, recordings, latency tables and data folders are edited in
turn, and read by the commands that read them, none of which may take more than 10 seconds or 2 GB. Prints what each
edit that was not borne did, and one JSON line at the end. The same seed makes the same edits; ``--from 123 --edits 1``
makes one again.
"""

import argparse
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.fuzz.commands import Outcome, put_back, run
from tests.fuzz.subjects import SUBJECTS, Subject


def main(arguments: list[str] | None = None) -> int:
    """Make the edits; 1 if a command did not end as commands do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="when to stop")
    parser.add_argument("--edits", type=int, help="how many, whatever time they take")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the number of the first edit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    chosen = parser.parse_args(arguments)
    before, started = Path.cwd(), time.monotonic()
    codes: Counter[str] = Counter()
    slowest, largest, unclean, edits = 0.0, 0.0, 0, set()
    with tempfile.TemporaryDirectory(prefix="archlab fuzz ü ") as folder:
        os.environ["ARCHLAB_CACHE"] = str(Path(folder) / "cache")
        os.chdir(folder)
        numbers = itertools.islice(itertools.count(chosen.first), chosen.edits)
        try:
            subjects = {name: SUBJECTS[name](Path(folder)) for name in chosen.subjects}
            for said, outcome in outcomes(subjects, numbers, chosen.seed):
                edits.add(said)
                codes[f"{outcome.command.split()[0]}: {outcome.code}"] += 1
                slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.peak_mb)
                if not outcome.is_clean:
                    unclean += 1
                    took = f"{outcome.seconds:.1f} s, {outcome.peak_mb:,.0f} MB"
                    print(f"{said}: archlab {outcome.command}: {outcome.code}, {took}\n{outcome.said}", flush=True)
                if chosen.edits is None and time.monotonic() - started > 60 * chosen.minutes:
                    break
        finally:
            os.chdir(before)
    facts = {"edits": len(edits), "seed": chosen.seed, "unclean": unclean, "codes": dict(sorted(codes.items()))}
    facts |= {
        "slowest_s": round(slowest, 1),
        "largest_mb": round(largest),
        "seconds": round(time.monotonic() - started),
    }
    print(json.dumps(facts))
    return int(unclean > 0)


def outcomes(subjects: Mapping[str, Subject], numbers: Iterable[int], seed: int) -> Iterator[tuple[str, Outcome]]:
    """Every edit with how each command ended; the working directory is the folder that the subjects are in."""
    for number in numbers:
        source = random.Random(f"{seed} {number}")
        name = source.choice(list(subjects))
        subject = subjects[name]
        with put_back(subject.path):
            said = f"edit {number}: {name}: {subject.edit(source)}"
            for command in subject.commands:
                yield said, run(command)


if __name__ == "__main__":
    sys.exit(main())
