"""Reads offline `.wandb` files back: LevelDB log framing around protobuf records."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BLOCK, FILE_HEADER, CHUNK_HEADER = 32768, 7, 7


@pytest.fixture(autouse=True)
def _no_wandb_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "wandb-data"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "wandb-cache"))


@pytest.fixture
def read_runs() -> Callable[[Path], list[list[Any]]]:
    """All records of every run under a folder, once W&B's process has written them."""
    wandb = pytest.importorskip("wandb")

    def read(folder: Path) -> list[list[Any]]:
        wandb.teardown()
        return [_records(file) for file in sorted(folder.glob("wandb/*run-*/*.wandb"))]

    return read


def _records(file: Path) -> list[Any]:
    internal = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    return [internal.Record.FromString(payload) for payload in _payloads(file.read_bytes())]


def _payloads(data: bytes) -> list[bytes]:
    assert data.startswith(b":W&B")
    payloads, parts, at = [], [], FILE_HEADER
    while at + CHUNK_HEADER <= len(data):
        if BLOCK - at % BLOCK < CHUNK_HEADER:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        parts.append(data[at + CHUNK_HEADER : at + CHUNK_HEADER + length])
        at += CHUNK_HEADER + length
        if kind in (1, 4):  # a whole record, or its last part
            payloads.append(b"".join(parts))
            parts = []
    return payloads
