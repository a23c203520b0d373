import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from archlab.encoders.shards import ENCODINGS, Shards, encoded
from archlab.errors import BadInput

ROWS, SHARD, BATCH = 95, 10, 4
TRUTH = torch.randn(ROWS, 3, 2, generator=torch.Generator().manual_seed(0))
CHILD = """
import sys, time, torch
from archlab.encoders import shards
truth = torch.randn(95, 3, 2, generator=torch.Generator().manual_seed(0))
def encode(span):
    time.sleep(0.05)
    return truth[span]
shards.encoded("rows", {"what": "test"}, 95, encode, batch=4, source="test", progress=lambda share: None,
    shard_rows=int(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def small_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))


class Encoder:
    """Says which rows it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, span: slice) -> Tensor:
        self.asked += range(ROWS)[span]
        return TRUTH[span]


def rows(encode: Callable[[slice], Tensor], progress: Callable[[float], None] = lambda _: None) -> Shards:
    return encoded(
        "rows", {"what": "test"}, ROWS, encode, batch=BATCH, source="test", progress=progress, shard_rows=SHARD
    )


def folder() -> Path:
    (entry,) = ENCODINGS.entries()
    return entry.path


def is_right(found: Shards) -> bool:
    return found[torch.arange(ROWS)].equal(TRUTH.half().float())


def test_rows_are_encoded_once() -> None:
    first, second = Encoder(), Encoder()
    assert is_right(rows(first))
    assert first.asked == list(range(ROWS))
    assert is_right(rows(second))
    assert second.asked == []


def test_files_are_fp16_shards_and_an_index_of_what_they_are() -> None:
    rows(Encoder())
    files = sorted(path.name for path in folder().iterdir())
    assert files == [*(f"0000{number}.safetensors" for number in range(10)), "index.json"]
    last = load_file(folder() / files[9])["rows"]
    assert (last.dtype, last.shape) == (torch.float16, (5, 3, 2))
    index = json.loads((folder() / "index.json").read_text())
    assert (index["what"], index["rows"], list(index["shards"])) == ("test", ROWS, files[:-1])


def test_picking_is_that_of_a_tensor() -> None:
    found, truth = rows(Encoder()), TRUTH.half().float()
    assert (len(found), found.shape) == (ROWS, TRUTH.shape)
    for indices in (torch.tensor([94, 0, 9, 10, 0]), torch.tensor([-1]), torch.arange(ROWS) % 7 == 3):
        assert found[indices].equal(truth[indices])
    with pytest.raises(IndexError):
        found[torch.tensor([ROWS])]


def test_progress_rises_to_the_end() -> None:
    heard: list[float] = []
    rows(Encoder(), heard.append)
    assert heard == sorted(heard)
    assert (heard[0], heard[-1]) == (BATCH / ROWS, 1)


def _flip(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "again"),
    [
        (lambda folder: _flip(folder / "00003.safetensors"), range(30, 40)),
        (lambda folder: (folder / "00009.safetensors").unlink(), range(90, 95)),
        (lambda folder: (folder / "00000.safetensors").write_bytes(b""), range(10)),
        (lambda folder: (folder / "index.json").write_text("{"), range(ROWS)),
        (lambda folder: (folder / "index.json").unlink(), range(ROWS)),
    ],
)
def test_only_what_is_damaged_is_encoded_again(damage: Callable[[Path], None], again: range) -> None:
    rows(Encoder())
    damage(folder())
    encoder = Encoder()
    assert is_right(rows(encoder))
    assert encoder.asked == list(again)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(SHARD)], stdin=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def test_kill_costs_one_shard(child: subprocess.Popen[bytes]) -> None:
    third = "encodings/rows-*/00002.safetensors"
    until = time.monotonic() + 60
    while not list(Path(os.environ["ARCHLAB_CACHE"]).glob(third)) and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = len(list(folder().glob("0*.safetensors"))) * SHARD
    (folder() / f".0000{done // SHARD}.left.safetensors").touch()  # as a kill in the midst of writing leaves it
    encoder = Encoder()
    assert is_right(rows(encoder))
    assert 30 <= done < ROWS
    assert encoder.asked in (list(range(done, ROWS)), list(range(done - SHARD, ROWS)))  # written, not yet in the index
    assert not list(folder().glob(".*"))


def test_two_at_once_share_the_work() -> None:
    first, second = Encoder(), Encoder()
    found: dict[int, bool] = {}
    threads = [
        threading.Thread(target=lambda index=index, encoder=encoder: found.update({index: is_right(rows(encoder))}))
        for index, encoder in enumerate((first, second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: True, 1: True}
    assert sorted(first.asked + second.asked) == list(range(ROWS))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 70000.0])
def test_what_fp16_cannot_hold_is_refused(value: float) -> None:
    broken = TRUTH.clone()
    broken[49, 1, 1] = value
    with pytest.raises(BadInput, match="test: rows 48 to 49 are encoded as values that are infinite, NaN or beyond"):
        rows(lambda span: broken[span])
    encoder = Encoder()
    assert is_right(rows(encoder))
    assert encoder.asked == list(range(40, ROWS))
