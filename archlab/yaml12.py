"""YAML 1.2's numbers for PyYAML, which has those of YAML 1.1: ``1:30`` is no 90 here, ``010`` no 8, ``5e-1`` is 0.5."""

import re
from typing import Any

import yaml

MOST_NODES = 20_000
DEEPEST = 100
_LONGEST_NUMBER = 64
_INT, _FLOAT, _TIMESTAMP, _WORD = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp", "str"))
_FIRST = list("-+.0123456789")
_CORE = (  # YAML 1.2.2, 10.3.2
    (_INT, re.compile(r"[-+]?[0-9]+$|0o[0-7]+$|0x[0-9a-fA-F]+$")),
    (
        _FLOAT,
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"),
    ),
)
_AS_DUMPED = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's is four times as fast


class TooMuch(yaml.MarkedYAMLError):
    """More values than any of archlab's files has, deeper, or a number longer than any."""


class Loader(yaml.SafeLoader):
    """Safe, with the numbers of YAML 1.2; what YAML 1.1 alone takes for a number is refused, and so is too much."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own name
        first: [each for each in resolvers if each[0] not in (_INT, _FLOAT, _TIMESTAMP)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """See PyYAML.

        Raises:
            yaml.MarkedYAMLError: besides what PyYAML refuses, too many values, too deep ones, and wrong numbers.
        """
        self._nodes += 1
        self._depth += 1
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self._nodes > MOST_NODES:
            raise TooMuch(problem=f"more than {MOST_NODES:,} values", problem_mark=mark)
        if self._depth > DEEPEST:
            raise TooMuch(problem=f"nested more than {DEEPEST} deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode) and node.style is None:
            _check_number(node)
        return node


class Dumper(_AS_DUMPED):  # type: ignore[misc, valid-type]
    """Safe; a word that either version of YAML takes for a number is quoted."""


for _tag, _form in _CORE:
    Loader.add_implicit_resolver(_tag, _form, _FIRST)
    Dumper.add_implicit_resolver(_tag, _form, _FIRST)


def dump(content: Any) -> str:
    """The content as YAML that `archlab.document.Document` reads back as it is; what holds no lists is on one line."""
    text: str = yaml.dump(
        content, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=150
    )
    return text


def _check_number(node: yaml.ScalarNode) -> None:
    is_number = node.tag in (_INT, _FLOAT)
    if is_number and len(node.value) > _LONGEST_NUMBER:
        raise TooMuch(problem=f"a number of {len(node.value):,} digits", problem_mark=node.start_mark)
    if is_number:
        is_old = re.match(r"[-+]?0[0-9]", node.value) is not None
    else:
        is_word = node.tag == _WORD and len(node.value) <= _LONGEST_NUMBER
        is_old = is_word and _yaml11_tag(node.value) in (_INT, _FLOAT)
    if is_old:
        raise yaml.MarkedYAMLError(
            problem=f"{node.value} is no number of YAML 1.2: no base 60, leading zeros or _; write it out, or quote it",
            problem_mark=node.start_mark,
        )


def _yaml11_tag(word: str) -> str:
    tag: str = yaml.resolver.Resolver().resolve(yaml.ScalarNode, word, (True, False))  # type: ignore[no-untyped-call]
    return tag
