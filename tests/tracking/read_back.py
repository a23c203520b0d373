"""Reads `.wandb` files back: LevelDB log framing around protobuf records."""

import json
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

BLOCK, FILE_HEADER, CHUNK_HEADER = 32768, 7, 7


class KeptRun:
    """A run as W&B's own process wrote it into a folder."""

    def __init__(self, file: Path) -> None:
        internal = pytest.importorskip("wandb.proto.wandb_internal_pb2")
        self.folder = file.parent
        self.records = [internal.Record.FromString(payload) for payload in _payloads(file.read_bytes())]

    @property
    def is_offline(self) -> bool:
        return self.folder.name.startswith("offline-")

    @property
    def run(self) -> Any:
        return next(record.run for record in self.records if record.HasField("run"))

    @property
    def name(self) -> str:
        return str(self.run.display_name)

    @property
    def config(self) -> dict[str, Any]:
        found = {item.key: json.loads(item.value_json) for item in self.run.config.update}
        return {key: value for key, value in found.items() if key != "_wandb"}

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        return [_nested(record.history.item) for record in self.records if record.HasField("history")]

    @property
    def steps(self) -> list[int]:
        return [line["_step"] for line in self.history]

    @property
    def summary(self) -> dict[str, Any]:
        return _nested([item for record in self.records for item in record.summary.update])

    @property
    def exit_code(self) -> int:
        return next(int(record.exit.exit_code) for record in self.records if record.HasField("exit"))

    def table(self, key: str) -> dict[str, Any]:
        [logged] = [line[key] for line in self.history if key in line]
        assert logged["_type"] == "table-file"
        content: dict[str, Any] = json.loads((self.folder / "files" / logged["path"]).read_text())
        return content


def kept_runs(folder: Path) -> list[KeptRun]:
    """The runs below a folder, by name; what W&B's process holds back is written first."""
    pytest.importorskip("wandb").teardown()
    return sorted((KeptRun(file) for file in folder.glob("wandb/*run-*/*.wandb")), key=lambda run: run.name)


def _payloads(data: bytes) -> Iterator[bytes]:
    assert data.startswith(b":W&B")
    parts, at = [], FILE_HEADER
    while at + CHUNK_HEADER <= len(data):
        if BLOCK - at % BLOCK < CHUNK_HEADER:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        parts.append(data[at + CHUNK_HEADER : at + CHUNK_HEADER + length])
        at += CHUNK_HEADER + length
        if kind in (1, 4):  # a whole record, or its last part
            yield b"".join(parts)
            parts = []


def _nested(items: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        *parents, key = list(item.nested_key) or [item.key]
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[key] = json.loads(item.value_json)
    return found
