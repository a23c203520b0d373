"""Files by the names that others give them: with backslashes, in another case or Unicode form."""

import os
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PureWindowsPath

from archlab.data.left_out import Unusable
from archlab.data.pairs import NO_IMAGE, OUTSIDE


class FilesByName:
    """Files that can be asked for by the names that metadata has for them."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = set(files)

    @cached_property
    def _by_form(self) -> dict[str, Path | None]:
        by_form: dict[str, Path | None] = {}
        for path in self._files:
            form = same_form(path)
            by_form[form] = None if form in by_form else path  # of several none is meant
        return by_form

    def find(self, folders: Iterable[Path], name: str) -> Path:
        """The file of that name in the first of the folders that has it.

        Raises:
            Unusable: none has it, or the name leads out of them.
        """
        windows = PureWindowsPath(name)  # knows both / and \
        if not name or "\0" in name or windows.drive or windows.root or ".." in windows.parts:
            raise Unusable(OUTSIDE)
        for folder in folders:
            path = folder / name
            if path in self._files:
                return path
            if found := self._by_form.get(same_form(path)) or self._linked(path):
                return found
        raise Unusable(NO_IMAGE)

    def _linked(self, path: Path) -> Path | None:
        """The file that a name with links to folders leads to."""
        try:
            linked = Path(os.path.realpath(path))
        except ValueError:  # no name of a file
            return None
        return linked if linked in self._files else None


def same_form(path: Path | str) -> str:
    """What is equal for all names of a file that differ in slashes, case or Unicode form alone."""
    return unicodedata.normalize("NFC", os.path.normpath(str(path).replace("\\", "/"))).casefold()
