"""One self-contained file from several modules of a package: a class with every definition that it needs.

Only sources are read; nothing is imported or run. A definition comes along when one that is kept names it, a method of
a class when any code that is kept has its name as an attribute.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from typing import NamedTuple

from archlab.errors import RunFailed

_CALLED_BY_TORCH = "forward"
_LINT_MARK = re.compile(r"  # (type: ignore|noqa)\b.*")


class Definition(NamedTuple):
    """What a module defines at its top level."""

    module: str
    name: str


def bundle(root: Definition, stand_ins: Mapping[Definition, Definition]) -> str:
    """The source of one module that has ``root`` and all it needs of its package.

    Args:
        stand_ins: definitions to take in place of others; callers see no difference.

    Raises:
        RunFailed: two definitions, or two imports, have one name. Rename one of them.
    """
    needs = _Needs(root, stand_ins)
    sections = []
    for name, definitions in groupby(needs.in_order(), lambda definition: definition.module):
        sections.append(f"# {name.replace('.', '/')}.py\n\n{_spaced(map(needs.source, definitions))}")
    return "\n".join(needs.imports()) + "\n\n\n" + "\n\n".join(sections)


@dataclass
class _Module:
    """A module's source, taken apart."""

    name: str
    lines: list[str]
    definitions: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


class _Needs:
    """All that a definition needs, itself included."""

    def __init__(self, root: Definition, stand_ins: Mapping[Definition, Definition]) -> None:
        self.definitions: set[Definition] = set()
        self._root, self._stand_ins = root, stand_ins
        self._foreign: dict[str, tuple[str, str | None]] = {}
        self._attributes: set[str] = set()
        self._methods: dict[Definition, list[ast.FunctionDef]] = {}  # those of a class that nothing needs
        self._unread: list[tuple[str, ast.AST]] = []
        self._add(root)
        while self._unread:
            self._read(*self._unread.pop())
            self._wake_methods()
        if twice := self._foreign.keys() & {definition.name for definition in self.definitions}:
            raise RunFailed(f"{root.module}: {', '.join(sorted(twice))}: both imported and defined")

    def in_order(self) -> Iterator[Definition]:
        """Those of a module after those of all that it imports from, otherwise as the modules have them."""
        for module in _depth_first(self._root.module, set()):
            there = [Definition(module, name) for name in _module(module).definitions]
            yield from sorted(
                self.definitions.intersection(there), key=lambda d: (d in self._stand_ins, there.index(d))
            )

    def source(self, definition: Definition) -> str:
        """The definition's text without what nothing needs of it."""
        if definition in self._stand_ins:
            return f"{definition.name} = {self._stand_ins[definition].name}"
        module = _module(definition.module)
        left_out = {line for method in self._methods[definition] for line in _lines(method)}
        kept = [module.lines[line - 1] for line in _lines(module.definitions[definition.name]) if line not in left_out]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(_LINT_MARK.sub("", line) for line in kept)).rstrip()

    def imports(self) -> Iterator[str]:
        """One line for each module of another package."""
        whole = sorted((module, name) for name, (module, part) in self._foreign.items() if part is None)
        yield from (f"import {_renamed(module, name)}" for module, name in whole)
        parts = sorted((module, _renamed(part, name)) for name, (module, part) in self._foreign.items() if part)
        for module, group in groupby(parts, lambda part: part[0]):
            yield f"from {module} import {', '.join(part for _, part in group)}"

    def _add(self, definition: Definition) -> None:
        if definition in self.definitions:
            return
        if any(definition.name == other.name for other in self.definitions):
            raise RunFailed(f"{definition.module}: the name {definition.name} is defined in another module as well")
        self.definitions.add(definition)
        if definition in self._stand_ins:
            self._add(self._stand_ins[definition])
            return
        statement = _module(definition.module).definitions[definition.name]
        self._methods[definition] = methods = [] if definition == self._root else _optional_methods(statement)
        self._unread += [(definition.module, part) for part in ast.iter_child_nodes(statement) if part not in methods]

    def _read(self, module: str, code: ast.AST) -> None:
        for node in ast.walk(code):
            if isinstance(node, ast.Name):
                self._add_name(module, node.id)
            elif isinstance(node, ast.Attribute):
                self._attributes.add(node.attr)

    def _wake_methods(self) -> None:
        for definition, methods in self._methods.items():
            for method in [method for method in methods if method.name in self._attributes]:
                methods.remove(method)
                self._unread.append((definition.module, method))

    def _add_name(self, module: str, name: str) -> None:
        found = _module(module)
        if name in found.definitions:
            self._add(Definition(module, name))
        elif name in found.imports:
            source, attribute = found.imports[name]
            if attribute is None or _package(source) != _package(module):
                if self._foreign.setdefault(name, (source, attribute)) != (source, attribute):
                    raise RunFailed(f"{module}: another module imports something else as {name}")
            elif attribute == name:
                self._add_name(source, name)
            else:
                raise RunFailed(f"{module}: imports {attribute} as {name}; in one file it has one name")


@cache
def _module(name: str) -> _Module:
    found = find_spec(name)
    source = found.loader.get_source(name) if found and found.loader else None  # type: ignore[attr-defined]  # of source files
    if source is None:
        raise RunFailed(f"{name}: its source is needed, and this installation has none")
    module = _Module(name, source.splitlines())
    for statement in ast.parse(source).body:
        for bound in _bound(statement):
            module.definitions[bound] = statement
        if isinstance(statement, ast.Import):
            module.imports |= {alias.asname or alias.name: (alias.name, None) for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            module.imports |= {a.asname or a.name: (statement.module or "", a.name) for a in statement.names}
    return module


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that it defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _optional_methods(statement: ast.stmt) -> list[ast.FunctionDef]:
    """Of a class, the methods that are called by name alone."""
    members = statement.body if isinstance(statement, ast.ClassDef) else []
    methods = [member for member in members if isinstance(member, ast.FunctionDef)]
    return [method for method in methods if not method.name.startswith("__") and method.name != _CALLED_BY_TORCH]


def _spaced(definitions: Iterable[str]) -> str:
    """Two empty lines between them, but none between definitions of one line each."""
    text = ""
    for one_line, group in groupby(definitions, lambda definition: "\n" not in definition):
        text += "\n\n" * bool(text) + ("\n" if one_line else "\n\n\n").join(group) + "\n"
    return text


def _renamed(name: str, alias: str) -> str:
    """As an import has it."""
    return name if alias == name else f"{name} as {alias}"


def _lines(statement: ast.stmt) -> range:
    decorators = statement.decorator_list if isinstance(statement, ast.FunctionDef | ast.ClassDef) else []
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    return range(first, (statement.end_lineno or statement.lineno) + 1)


def _depth_first(module: str, seen: set[str]) -> Iterator[str]:
    """The module after all of its package that it imports from."""
    seen.add(module)
    for below, _ in _module(module).imports.values():
        if _package(below) == _package(module) and below not in seen:
            yield from _depth_first(below, seen)
    yield module


def _package(module: str) -> str:
    return module.split(".")[0]
