"""Files that may hold the caption of the image beside them: ``0.txt`` or ``0.png.txt`` of ``0.png``."""

import os
from collections import defaultdict
from pathlib import Path

from archlab.data.captions import SUFFIXES
from archlab.data.names import same_form


def sidecars(images: list[Path], files: list[Path]) -> dict[Path, list[Path]]:
    """Of each image its files, in the order in which they count.

    A file whose name is spelt otherwise (capitals, Unicode form) is an image's if neither has another.
    """
    by_stem = defaultdict[str, list[Path]](list)
    for path in sorted(files, key=lambda path: SUFFIXES.index(path.suffix.lower())):
        by_stem[_stem(path)].append(path)
    found = {image: [*by_stem.get(_stem(image), ()), *by_stem.get(str(image), ())] for image in images}
    used = {path for paths in found.values() for path in paths}
    lacking = [image for image, paths in found.items() if not paths]
    of_images = _by_form({_stem(image) for image in lacking})
    of_files = _by_form({stem for stem, paths in by_stem.items() if not used.intersection(paths)})
    for image in lacking:
        form = same_form(_stem(image))
        if len(of_images[form]) == len(of_files.get(form, ())) == 1:
            found[image] = by_stem[of_files[form][0]]
    return found


def _stem(path: Path) -> str:
    return os.path.splitext(path)[0]


def _by_form(stems: set[str]) -> dict[str, list[str]]:
    by_form = defaultdict[str, list[str]](list)
    for stem in stems:
        by_form[same_form(stem)].append(stem)
    return by_form
