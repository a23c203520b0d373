"""Photographs in two layouts, and tiny models, once for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.data.layouts import encoded, metadata, pairs, shards
from tests.encoders.tiny import save_clip, save_kl
from tests.study.kinds_of_data.photographs import photographs


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds ``photographs`` with metadata, the same in ``shards``, and in ``untidy`` with others that are not all
    usable; ``two`` of them; ``tiny-vae`` and ``tiny-clip``."""
    root, entries = tmp_path_factory.mktemp("kinds"), photographs()
    metadata(root / "photographs", "csv", entries)
    shards(root / "shards", entries)
    printed = encoded(Image.new("CMYK", (40, 30), (0, 90, 200, 10)), "JPEG")
    measured = encoded(Image.new("F", (40, 30), 0.5), "TIFF")
    broken, alone = entries["0000"][0][:900], entries["0001"][0]
    untidy = metadata(
        root / "untidy", "csv", {**entries, "a": (printed, "ink"), "b": (measured, "light"), "c": (broken, "half")}
    )
    (untidy / "alone.png").write_bytes(alone)
    pairs(root / "two", dict(list(entries.items())[:2]))
    save_kl(root / "tiny-vae", channels=3)
    save_clip(root / "tiny-clip", with_images=True)
    return root


@pytest.fixture(scope="package", autouse=True)
def quick_reader() -> Iterator[None]:
    """One that is there to be asked, not to be right."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archlab.scores.attribute_classifier.STEPS", 30)
        yield
