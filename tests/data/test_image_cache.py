"""Decoded pixels in the cache: made once, taken up after a stop, made anew where they are damaged."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from archlab.data.image_cache import CachedImages, cached_images
from archlab.data.load import open_source
from archlab.errors import BadInput
from tests.data.layouts import Samples, pairs, png, samples, shards

COUNT = 150


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return pairs(tmp_path / "set", samples(COUNT))


def cached(path: Path) -> tuple[CachedImages, list[float]]:
    """The images of a path, and the progress that was reported."""
    shares: list[float] = []
    return cached_images(open_source(path), 16, lambda stage, share: shares.append(share)), shares


def test_images_are_decoded_once_and_mapped(cache: Path, folder: Path) -> None:
    first, shares = cached(folder)
    assert shares == [64 / COUNT, 128 / COUNT, 1.0]
    again, nothing = cached(folder)
    assert nothing == []
    assert again.images.equal(first.images)
    assert (again.captions, again.files, again.left_out) == (first.captions, first.files, first.left_out)
    (file,) = cache.glob("*/images.safetensors")
    assert load_file(file)["images"].equal(first.images)
    if sys.platform == "linux":
        assert str(file) in Path("/proc/self/maps").read_text()
    assert sorted(path.name for path in file.parent.iterdir()) == ["images.safetensors", "index.json"]


def test_a_moved_folder_is_known_and_a_changed_one_is_read_again(cache: Path, folder: Path) -> None:
    before, _ = cached(folder)
    moved = folder.rename(folder.with_name("moved"))
    assert cached(moved)[1] == []
    image = moved / "a" / "b" / "0003.PNG"
    image.write_bytes(png(99))
    after, shares = cached(moved)
    assert shares[-1] == 1
    changed = (after.images != before.images).flatten(1).any(1)
    assert changed.nonzero().flatten().tolist() == [3]
    os.utime(image, ns=(0, 0))
    assert cached(moved)[1] != []


@pytest.mark.parametrize("layout", [pairs, shards])
def test_a_stopped_run_is_taken_up(layout: Callable[[Path, Samples], Path], cache: Path, tmp_path: Path) -> None:
    path = layout(tmp_path / "stopped", samples(COUNT))

    def stop(stage: str, share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_images(open_source(path), 16, stop)
    (part,) = cache.glob("*/pixels.partial")
    with part.open("ab") as file:
        file.write(b"half an image")  # what a kill in the middle of writing leaves
    with part.with_name("journal.jsonl").open("a") as file:
        file.write('["half a li')
    resumed, shares = cached(path)
    assert shares == [128 / COUNT, 1.0]
    assert resumed.images.equal(cached(pairs(tmp_path / "whole", samples(COUNT)))[0].images)
    assert resumed.captions == [caption for _, caption in samples(COUNT).values()]


def test_pixels_that_the_journal_knows_but_the_disk_lost_are_decoded_again(cache: Path, folder: Path) -> None:
    expected = cached(folder)[0].images.clone()
    (images,) = cache.glob("*/images.safetensors")
    images.rename(images.with_name("pixels.partial")).write_bytes(b"")
    outcomes = [["0" * 16, 20, 20, "RGB"]] * 100
    images.with_name("journal.jsonl").write_text("".join(json.dumps(outcome) + "\n" for outcome in outcomes))
    again, shares = cached(folder)
    assert shares == [64 / COUNT, 128 / COUNT, 1.0]
    assert again.images.equal(expected)


@pytest.mark.parametrize("damage", ["pixels", "index", "header", "both gone"])
def test_a_damaged_cache_is_made_anew(damage: str, cache: Path, folder: Path) -> None:
    expected = cached(folder)[0].images.clone()
    (images,) = cache.glob("*/images.safetensors")
    if damage == "pixels":
        images.write_bytes(images.read_bytes()[:-100])
    elif damage == "header":
        images.write_bytes(b"\xff" * 600)
    elif damage == "index":
        images.with_name("index.json").write_text('{"captions": []}')
    else:
        images.unlink()
        images.with_name("index.json").unlink()
    again, shares = cached(folder)
    assert shares[-1] == 1
    assert again.images.equal(expected)


def test_broken_images_leave_no_gap(cache: Path, folder: Path) -> None:
    whole = cached(folder)[0].images
    for index in (0, 70, 149):
        (folder / "a" / "b" / f"{index:04}.PNG").write_bytes(b"broken")
    some, _ = cached(folder)
    remaining = [index for index in range(COUNT) if index not in (0, 70, 149)]
    assert {reason: omission.count for reason, omission in some.left_out.items()} == {"broken image": 3}
    assert some.images.equal(whole[remaining])
    assert some.captions == [f"Number {index}, größer" for index in remaining]


def test_of_two_at_once_one_decodes_and_the_other_waits(cache: Path, folder: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        (first, shares), (second, shares_too) = pool.map(cached, [folder, folder])
    assert sorted([len(shares), len(shares_too)]) == [0, 3]
    assert first.images.equal(second.images)


def test_too_full_a_disk_is_said_before_anything_is_decoded(
    cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(BadInput, match=r"decoded images need 0.0 GB, 0.0 GB are free; ARCHLAB_CACHE chooses"):
        cached(folder)


def test_pixels_come_back_exactly(cache: Path, folder: Path) -> None:
    images = cached(folder)[0].images
    levels = (images + 1) * 127.5
    assert images.dtype == torch.float32
    assert (levels - levels.round()).abs().max() < 1e-4
