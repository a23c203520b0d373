"""The same captioned images on disk in every layout that is understood."""

import csv
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Samples = Mapping[str, tuple[bytes, str]]


def png(shade: int, size: tuple[int, int] = (20, 20)) -> bytes:
    """A picture with a gradient, another one for every shade."""
    levels = np.linspace(0, 255 - shade, size[0] * size[1]).reshape(size[1], size[0])
    return encoded(
        Image.fromarray(np.stack([levels, np.flip(levels), np.full_like(levels, shade)], -1).astype("uint8"))
    )


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def samples(count: int) -> Samples:
    return {f"{index:04}": (png(index), f"Number {index}, größer") for index in range(count)}


def metadata(root: Path, form: str, entries: Samples, column: str = "text") -> Path:
    """``metadata.csv`` or ``metadata.jsonl`` beside a folder with the images."""
    rows = [{"file_name": f"images/{key}.png", column: caption} for key, (_, caption) in entries.items()]
    (root / "images").mkdir(parents=True)
    for key, (content, _) in entries.items():
        (root / "images" / f"{key}.png").write_bytes(content)
    with (root / f"metadata.{form}").open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            writer = csv.DictWriter(file, ["file_name", column])
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return root


def pairs(root: Path, entries: Samples) -> Path:
    """Texts beside images, two folders deep."""
    folder = root / "a" / "b"
    folder.mkdir(parents=True)
    for key, (content, caption) in entries.items():
        (folder / f"{key}.PNG").write_bytes(content)
        (folder / f"{key}.txt").write_text(f"\ufeff{caption}\n", encoding="utf-8")
    return root


def shards(root: Path, entries: Samples, kind: str = "txt") -> Path:
    """Two archives, as img2dataset writes them."""
    root.mkdir(parents=True)
    items = list(entries.items())
    for number, part in enumerate((items[: len(items) // 2], items[len(items) // 2 :])):
        members = []
        for key, (content, caption) in part:
            text = caption if kind == "txt" else json.dumps({"caption": caption, "status": "success"})
            members += [(f"{key}.png", content), (f"{key}.{kind}", text.encode())]
        write_tar(root / f"{number:05}.tar", members)
    return root


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def coco(root: Path, entries: Samples, folder: str = "val2017") -> Path:
    """COCO's annotations, three captions an image, and its folder of images; returns the annotations."""
    (root / "annotations").mkdir(parents=True)
    (root / folder).mkdir(parents=True, exist_ok=True)
    content: dict[str, list[dict[str, object]]] = {"images": [], "annotations": []}
    for number, (key, (image, caption)) in enumerate(entries.items()):
        (root / folder / f"{key}.png").write_bytes(image)
        content["images"].append({"id": number, "file_name": f"{key}.png"})
        content["annotations"] += [{"image_id": number, "caption": caption}] * 3
    path = root / "annotations" / "captions_val2017.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


LAYOUTS: dict[str, Callable[[Path, Samples], Path]] = {
    "metadata.csv": lambda root, entries: metadata(root, "csv", entries),
    "metadata.jsonl": lambda root, entries: metadata(root, "jsonl", entries, "caption"),
    "images with texts": pairs,
    "shards with texts": shards,
    "shards with json": lambda root, entries: shards(root, entries, "json"),
    "one shard": lambda root, entries: write_tar(
        root.with_suffix(".tar"),
        [
            member
            for key, (image, text) in entries.items()
            for member in ((f"{key}.png", image), (f"{key}.txt", text.encode()))
        ],
    ),
    "COCO": lambda root, entries: coco(root, entries).parents[1],
    "COCO's annotations": coco,
    "COCO in images/val2017": lambda root, entries: coco(root, entries, "images/val2017"),
    "COCO in images": lambda root, entries: coco(root, entries, "images").parents[1],
}


def images(root: Path, names: list[str]) -> Path:
    """Images of these names, another one each."""
    for index, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(index))
    return root
