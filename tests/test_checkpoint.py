import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from archlab.checkpoint import Checkpoint, below, prefixed, read_checkpoint, write_checkpoint

STATE = Checkpoint(
    {
        "weight": torch.tensor([[0.1, -0.0], [1e-45, 3.0]]),
        "steps": torch.tensor(7, dtype=torch.int64),
        "generator": torch.Generator().manual_seed(3).get_state(),
        "none": torch.empty(0, 2, dtype=torch.float64),
    },
    {"rungs": [[10, 0.1 + 0.2]], "seconds": 1e-300},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "state.safetensors", "mine", STATE)
    return tmp_path / "state.safetensors"


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_every_bit_comes_back(path: Path) -> None:
    found = read_checkpoint(path, "mine")
    assert found is not None
    assert found.facts == STATE.facts
    assert found.tensors.keys() == STATE.tensors.keys()
    for name, tensor in STATE.tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert found.tensors[name].shape == tensor.shape
        assert found.tensors[name].numpy().tobytes() == tensor.numpy().tobytes()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_is_read_outlives_the_file(path: Path) -> None:
    found = read_checkpoint(path, "mine")
    path.write_bytes(b"\0" * path.stat().st_size)
    assert found is not None
    assert found.tensors["weight"].equal(STATE.tensors["weight"])


def test_absent_and_foreign_are_none(path: Path) -> None:
    assert read_checkpoint(path.with_name("other"), "mine") is None
    assert read_checkpoint(path, "another's") is None


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_truncated_is_none(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert read_checkpoint(path, "mine") is None


def test_no_flipped_bit_goes_unseen(path: Path) -> None:
    content = path.read_bytes()
    for place in range(0, len(content), 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        found = read_checkpoint(path, "mine")
        assert found is None or found == STATE, place


def test_full_disk_leaves_the_one_before(path: Path) -> None:
    with disk_of(1000), pytest.raises(OSError, match="File too large"):
        write_checkpoint(path, "mine", Checkpoint({"weight": torch.zeros(1000)}, {}))
    assert read_checkpoint(path, "mine") is not None
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_prefixes_keep_parts_apart() -> None:
    parts = {**prefixed("unet", {"a.b": torch.zeros(1)}), **prefixed("unet2", {"a": torch.ones(1)})}
    assert set(below("unet", parts)) == {"a.b"}
    assert set(below("unet2", parts)) == {"a"}
