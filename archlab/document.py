"""A YAML file whose every key and value knows its line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from archlab.errors import BadInput, one_line, shorten
from archlab.files import read_text
from archlab.yaml12 import MOST_NODES, Loader, TooMuch

Place = Sequence[str | int]

_MOST_BYTES = 1_000_000
_LONGEST_KEY = 60


class BadPlace(BadInput):
    """Something is wrong at a place of a YAML; whoever has the file says in which line, by `Document.error`.

    Attributes:
        place: keys and indices from the root.
        problem: what is wrong there, and what would be right.
        at_key: whether the key is wrong, not what stands under it.
    """

    def __init__(self, place: Place, problem: str, *, at_key: bool = False) -> None:
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        super().__init__(f"{name}: {problem}")
        self.place, self.problem, self.at_key = place, problem, at_key


class Document:
    """A mapping read from a YAML file.

    Args:
        form: what such a file holds, for the message about one that is empty or no mapping.

    Raises:
        BadInput: the file is absent, too large, not UTF-8 YAML, not a mapping, or has a key twice.
    """

    def __init__(self, path: Path, form: str) -> None:
        self.path = path
        text = read_text(path, _MOST_BYTES)
        try:
            loader = Loader(text)
            root = loader.get_single_node()
            if not isinstance(root, yaml.MappingNode):
                raise BadInput(f"{path}: {'is empty' if root is None else 'is not a mapping'}; {form}")
            self._root = root
            self._check(root, {})
            self.data: dict[str, Any] = loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            what = "" if isinstance(error, TooMuch) else "not YAML: "
            raise BadInput(f"{path}{where}: {what}{one_line(error.problem or '')}") from None
        except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadInput(f"{path}: not YAML: {one_line(str(error))}") from None

    def error(self, place: Place, message: str, *, at_key: bool = False) -> BadInput:
        """The error to raise about ``place`` (keys and indices from the root): ``file:line:column: place: message``."""
        node, name = self._find(place, at_key)
        return self._error_at(node, f"{name}: {message}")

    def folder(self, place: Place) -> Path:
        """What a path that stands at ``place`` is relative to: the file's folder."""
        return self.path.parent

    def _find(self, place: Place, at_key: bool) -> tuple[yaml.Node, str]:
        """The deepest node on the way to ``place``, and that way as text, with the first key that is missing."""
        node: yaml.Node = self._root
        key_node: yaml.Node = node
        name = ""
        for part in place:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
                if found is None:
                    name = f"{name}.{shorten(str(part), _LONGEST_KEY)}".lstrip(".")
                    break
                key_node, node = found
                name = f"{name}.{shorten(str(part), _LONGEST_KEY)}".lstrip(".")
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                key_node = node = node.value[part]
                name = f"{name}[{part}]"
            else:
                break
        return (key_node if at_key else node), name or "the file"

    def _check(self, node: yaml.Node, known: dict[int, int]) -> int:
        """Size of the node with every alias written out; refuses repeated keys, keys that are no words, and bombs.

        ``known`` has the sizes of nodes seen before, 0 for those that the walk is in.
        """
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in known:
            if not known[id(node)]:
                raise self._error_at(node, "contains itself")
            return known[id(node)]
        known[id(node)] = 0
        size = 1
        seen = set()
        for item in node.value:
            if isinstance(node, yaml.MappingNode):
                key, item = item
                if not isinstance(key, yaml.ScalarNode):
                    raise self._error_at(key, "a key is a word, not a list or a mapping")
                if key.value in seen:
                    raise self._error_at(key, f"{shorten(key.value, _LONGEST_KEY)} is there twice")
                seen.add(key.value)
            size += self._check(item, known)
        if size > MOST_NODES:
            raise self._error_at(node, f"its aliases stand for more than {MOST_NODES:,} values")
        known[id(node)] = size
        return size

    def _error_at(self, node: yaml.Node, message: str) -> BadInput:
        return BadInput(f"{self.path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {message}")
