"""A YAML file whose every key and value knows its line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from archlab.errors import BadInput
from archlab.files import read_text

Place = Sequence[str | int]


class Document:
    """A mapping read from a YAML file.

    Raises:
        BadInput: the file is absent, not UTF-8 YAML, empty, not a mapping, or has a key twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        text = read_text(path)
        try:
            loader = yaml.SafeLoader(text)
            root = loader.get_single_node()
            if not isinstance(root, yaml.MappingNode):
                kind = "is empty" if root is None else "is not a mapping"
                raise BadInput(f"{path}: {kind}; a search space needs at least baseline, knobs and proxy.data")
            self._root = root
            self._refuse_repeated_keys(root)
            self.data: dict[str, Any] = loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            raise BadInput(f"{path}{where}: not YAML: {error.problem}") from None
        except yaml.YAMLError as error:
            raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}") from None

    def error(self, place: Place, message: str, *, at_key: bool = False) -> BadInput:
        """The error to raise about ``place`` (keys and indices from the root): ``file:line:column: place: message``."""
        node, name = self._find(place, at_key)
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        return BadInput(f"{self.path}:{line}:{column}: {name}: {message}")

    def _find(self, place: Place, at_key: bool) -> tuple[yaml.Node, str]:
        """The deepest node on the way to ``place``, and that way as text."""
        node: yaml.Node = self._root
        key_node: yaml.Node = node
        name = ""
        for part in place:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
                if found is None:
                    break
                key_node, node = found
                name = f"{name}.{part}".lstrip(".")
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                key_node = node = node.value[part]
                name = f"{name}[{part}]"
            else:
                break
        return (key_node if at_key else node), name or "the file"

    def _refuse_repeated_keys(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._refuse_repeated_keys(item)
        elif isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                if key.value in seen:
                    mark = key.start_mark
                    raise BadInput(f"{self.path}:{mark.line + 1}:{mark.column + 1}: {key.value} is there twice")
                seen.add(key.value)
                self._refuse_repeated_keys(value)
