"""Data are read when they are needed: memory stays as it is while there are ten times as many."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.layouts import png
from tests.training.streamed import encode

REPOSITORY = Path(__file__).parents[2]
FEW, MANY = 400, 4_000  # of 12 KB of pixels; of 32 KB of latents and contexts
MOST_MORE = 16 * 2**20  # captions, indices, and what an allocator keeps: 4 to 9 MB were measured


def in_memory(folder: Path, count: int) -> dict[str, int]:
    folder.mkdir()
    pictures = [png(shade, (8, 8)) for shade in range(100)]
    with (folder / "metadata.jsonl").open("w") as file:
        for index in range(count):
            (folder / f"{index}.png").write_bytes(pictures[index % 100])
            caption = f"number {index // 100} and {index % 100}"
            file.write(json.dumps({"file_name": f"{index}.png", "text": caption}) + "\n")
    encode(images=count, captions=count)  # here, so that there the shards are read and no more
    command = [sys.executable, "-m", "tests.training.streamed", folder]
    found = json.loads(subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True, text=True).stdout)
    assert found.pop("images") == count
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in memory")
def test_memory_stays_flat_while_data_grow_tenfold(tmp_path: Path) -> None:
    few, many = in_memory(tmp_path / "few", FEW), in_memory(tmp_path / "many", MANY)
    more = {kind: many[kind] - few[kind] for kind in few}
    assert all(growth < MOST_MORE for growth in more.values()), more
    assert MOST_MORE < 0.4 * (MANY - FEW) * 12 * 1024
