"""What an encoder made of a data set: once, in fp16, as sharded safetensors with an index of their hashes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from archlab import versions
from archlab.cache import Kind, content_hash, make_room
from archlab.errors import BadInput
from archlab.files import atomic_path, file_hash, read_json, write_text
from archlab.progress import ShareDone

SHARD_ROWS = 256  # what a kill can cost: minutes with a large VAE on a CPU
ENCODINGS = Kind("encodings", "images as latents and captions as contexts, of VAEs and text encoders")
_TENSOR = "rows"


class Shards:
    """Rows on disk, read when they are asked for: fp16 there, float32 here; ``shape`` is that of all of them."""

    def __init__(self, shards: Sequence[Tensor]) -> None:
        self._shards = shards
        self._shard_rows = len(shards[0])
        self._places = torch.arange(sum(map(len, shards)))
        self.shape: tuple[int, ...] = (len(self._places), *shards[0].shape[1:])

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        places = self._places[indices].tolist()
        picked = [self._shards[shard][row] for shard, row in (divmod(place, self._shard_rows) for place in places)]
        return torch.stack(picked).float()


def encoded(
    kind: str,
    key: Mapping[str, Any],
    count: int,
    encode: Callable[[slice], Tensor],
    *,
    batch: int,
    source: str,
    progress: ShareDone,
    shard_rows: int = SHARD_ROWS,
) -> Shards:
    """``count`` rows from the cache; what is not there, or damaged, is encoded and written, shard by shard.

    A killed process costs the shard that it was at. Of several processes one encodes a shard and the others wait.

    Args:
        kind: of rows, for the folder's name.
        key: what decides the rows, for the index.
        encode: the rows of a span, float32; it is asked for ``batch`` of them at a time, at the same places always.
        source: of the encoder, for the message.

    Raises:
        BadInput: ``encode`` gives values that fp16 cannot hold.
    """
    content = {"version": versions.ENCODERS, **key, "rows": count, "shard_rows": shard_rows}
    entry = ENCODINGS.entry(f"{kind}-{content_hash(content)}")
    entry.hold()
    paths = []
    for number, shard in enumerate(_spans(0, count, shard_rows)):
        paths.append(entry.path / f"{number:05}.safetensors")
        if not _is_whole(paths[-1]):
            with entry.locked():
                if not _is_whole(paths[-1]):  # another process may have been at it
                    _write(paths[-1], torch.cat([*_batches(shard, encode, batch, source, count, progress)]), content)
            make_room()
        progress(shard.stop / count)
    return Shards([_opened(path) for path in paths])


def _batches(
    shard: slice, encode: Callable[[slice], Tensor], batch: int, source: str, count: int, progress: ShareDone
) -> Iterator[Tensor]:
    for span in _spans(shard.start, shard.stop, batch):
        yield _in_fp16(encode(span), f"{source}: rows {span.start} to {span.stop - 1}")
        progress(span.stop / count)


def _spans(start: int, stop: int, size: int) -> Iterator[slice]:
    return (slice(first, min(first + size, stop)) for first in range(start, stop, size))


def _in_fp16(rows: Tensor, place: str) -> Tensor:
    half = rows.half()
    if not half.isfinite().all():
        raise BadInput(f"{place} are encoded as values that are infinite, NaN or beyond fp16's 65504")
    return half


def _write(path: Path, rows: Tensor, content: Mapping[str, Any]) -> None:
    for leftover in path.parent.glob(".*"):  # of a process that was killed: who holds the lock writes alone
        leftover.unlink(missing_ok=True)
    data = save({_TENSOR: rows.contiguous()})
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    shards = _hashes(path.parent) | {path.name: file_hash(path)}
    write_text(_index(path.parent), json.dumps({**content, "shards": shards}, indent=2) + "\n")


def _is_whole(path: Path) -> bool:
    expected = _hashes(path.parent).get(path.name)
    if expected is None or not path.is_file():
        return False
    return file_hash(path) == expected


def _hashes(folder: Path) -> dict[str, str]:
    """Of the shards that were written, by name; a damaged index has none."""
    with suppress(BadInput):
        shards = read_json(_index(folder)).get("shards")
        if isinstance(shards, dict):
            return shards
    return {}


def _index(folder: Path) -> Path:
    return folder / "index.json"


def _opened(path: Path) -> Tensor:
    """Mapped into memory, not read."""
    with safe_open(path, framework="pt") as file:
        rows: Tensor = file.get_tensor(_TENSOR)
    return rows
