"""How long the small commands take: until their first word, and until they end.

Medians over ``--times`` runs of every command, each a process of its own, over the study ``--study`` and a copy of it.
With ``--against`` another checkout's commands run in turn with these, and ``ratio`` is theirs by ours. Seconds of the
processor are given beside those of the clock: on a computer that is busy with other things they tell more. Prints one
JSON line. ``python benchmarks/commands.py --times 5 --against ../archlab-before``
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).parents[1]
COMMANDS = {
    "help": "--help",
    "devices": "devices",
    "report": "report first",
    "compare": "compare first second",
    "data_check": "data check pictures --image-size 16",
    "export": "export first",
}
LONG = {"export"}  # of which the first word counts: they are ended then


class Seconds(NamedTuple):
    """Of one run of a command: by the clock until its first word and its end, and of the processor."""

    first_word: float
    whole: float
    processor: float


def main() -> None:
    """Time every command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--study", type=Path, default=REPOSITORY / "studies" / "digits_search")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    chosen = parser.parse_args()
    checkouts = {"ours": REPOSITORY} | ({"theirs": chosen.against.resolve()} if chosen.against else {})
    line: dict[str, object] = {"benchmark": "seconds that the small commands take", "unit": "s"}
    with workplace(chosen.study) as folder:
        for name in chosen.commands:
            runs: dict[str, list[Seconds]] = {who: [] for who in checkouts}
            for _ in range(chosen.times):
                for who, checkout in checkouts.items():
                    runs[who].append(run(COMMANDS[name], checkout, folder, is_long=name in LONG))
            medians = {who: Seconds(*map(statistics.median, zip(*each, strict=True))) for who, each in runs.items()}
            row: dict[str, object] = {
                who: {k: round(v, 2) for k, v in m._asdict().items()} for who, m in medians.items()
            }
            if chosen.against:
                row["ratio"] = round(medians["theirs"].processor / medians["ours"].processor, 2)
            line[name] = row
    print(json.dumps(line))


@contextmanager
def workplace(study: Path) -> Iterator[Path]:
    """A folder with two studies and a handful of pictures, to run the commands in."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for copy in ("first", "second"):
            shutil.copytree(study, folder / "studies" / copy)
        pictures = folder / "pictures"
        pictures.mkdir()
        for number in range(8):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(pictures / f"{number}.png")
            (pictures / f"{number}.txt").write_text(f"noise number {number}", encoding="utf-8")
        yield folder


def run(words: str, checkout: Path, folder: Path, *, is_long: bool) -> Seconds:
    """Run a command of that checkout, a long one until its first word.

    Raises:
        SystemExit: it failed.
    """
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "archlab", *words.split()],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = process.stdout.read(1)
    first_word = time.perf_counter() - started
    if is_long:
        process.terminate()
    said += process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    whole = time.perf_counter() - started
    if status and not is_long:
        sys.exit(f"archlab {words}: {said.decode()}")
    return Seconds(first_word, whole, used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main()
