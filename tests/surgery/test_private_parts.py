"""What reaches into a library's private parts stands in `archlab.surgery`."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import archlab

ROOT = Path(archlab.__file__).parent
PROGRAMS = {"agent.py", "worker.py"}  # run elsewhere, without archlab
OWN = {"archlab", *sys.stdlib_module_names}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_parts(tree: ast.Module) -> Iterator[str]:
    """Imports of private names of libraries, and private attributes of what was imported."""
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] not in OWN]
            imported.update(alias.asname or alias.name.split(".")[0] for alias in node.names if alias.name in names)
            yield from (name for name in names if any(map(is_private, name.split("."))))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] not in OWN:
            imported.update(alias.asname or alias.name for alias in node.names)
            words = [*node.module.split("."), *(alias.name for alias in node.names)]
            yield from (f"{node.module}: {word}" for word in words if is_private(word))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            root: ast.expr = node
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in imported:
                yield ast.unparse(node)


def test_no_file_outside_surgery_reaches_into_a_library() -> None:
    files = [path for path in ROOT.rglob("*.py") if "surgery" not in path.parts and path.name not in PROGRAMS]
    reaching = {str(path): list(private_parts(ast.parse(path.read_text(encoding="utf-8")))) for path in files}
    assert len(files) > 100
    assert {path: parts for path, parts in reaching.items() if parts} == {}


def test_the_check_sees_private_parts() -> None:
    assert list(private_parts(ast.parse("import torch\nfrom torch._ops import x\ntorch._a.b(torch.nn._c)"))) != []
