"""The pages under ``docs/``: their links lead somewhere, and what they say of values is so."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from archlab.architecture import preset
from archlab.cli.main import cli
from archlab.space.knobs import KNOBS

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted([REPOSITORY / "README.md", *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("studies/*.md")])


def anchors(page: Path) -> set[str]:
    """What GitHub makes of its headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        if "://" in name:
            continue
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def test_values_are_written_as_the_page_says() -> None:
    page = (REPOSITORY / "docs" / "search-spaces.md").read_text(encoding="utf-8")
    (block,) = (text for text in re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "sd, no" in text)
    knobs = yaml.safe_load(block)["knobs"]
    assert {name: len(values) for name, values in knobs.items()} == {
        "transformers": 3,
        "channels": 1,
        "res_blocks": 2,
        "self_attention": 3,
    }
    baseline = preset("sd15")
    built = [KNOBS[name].apply(baseline, value) for name, values in knobs.items() for value in values]
    assert built[0] == baseline  # sd, on Stable Diffusion
    assert [stage.channels for stage in baseline.scaled(width=0.5).stages] == [160, 320, 640, 640]
    assert [stage.channels for stage in baseline.scaled(width=0.5).scaled(width=0.25).stages] == [40, 80, 160, 160]


def commands_of(page: Path) -> list[str]:
    """Whole lines of blocks that are commands of archlab: without the words beside them, or what stands for others."""
    blocks = re.findall(r"^```(?:bash|console|)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [re.split(r"\s{2,}| # | >> ", line)[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if re.match(r"(\w+=\S+ )?archlab \w", line) and "…" not in line]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_commands_are_written_as_archlab_takes_them(page: Path) -> None:
    for line in commands_of(page):
        command: click.Command = cli
        context, words = None, shlex.split(line)[shlex.split(line).index("archlab") + 1 :]
        while isinstance(command, click.Group) and words:
            assert words[0] in command.commands, line
            context, command = click.Context(command, context, words[0]), command.commands[words.pop(0)]
        command.make_context(line, words, context)  # raises where an option or a value is unknown, or one is missing
