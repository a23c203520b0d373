"""Which architectures an audit trains."""

from pathlib import Path

import numpy as np
import pytest

from archlab.analysis.audit import LEAST
from archlab.cost import count
from archlab.errors import BadInput
from archlab.study.audit.sample import stratified
from archlab.study.definition import load_definition
from tests.study.spaces import MINI, write_space

LARGE = MINI.replace("ff_ratio: {low: 4, high: 8, step: 2}", "ff_ratio: {low: 1, high: 60}")
WITHOUT_BASELINE = MINI.replace("transformers: [sd, ", "transformers: [")
LIMITED = MINI.replace("search:", 'constraints: {macs_g: {max: "60%"}}\nsearch:')


@pytest.mark.parametrize("text", [MINI, LARGE], ids=["counted", "drawn"])
def test_architectures_differ_and_spread_over_the_costs(text: str, tmp_path: Path) -> None:
    definition = load_definition(write_space(tmp_path, text))
    arms = stratified(definition, 17)
    specs = [definition.space.spec(arm.values) for arm in arms]
    assert specs[0] == definition.space.baseline
    assert len({spec.id for spec in specs}) == 17
    macs = [count(spec).macs for spec in specs[1:]]
    every = [count(definition.space.sample(seed)).macs for seed in range(400)]
    quarters = np.searchsorted(np.quantile(every, [0.25, 0.5, 0.75]), macs)
    assert np.bincount(quarters, minlength=4).min() >= 2


def test_fewer_are_the_first_of_more(tmp_path: Path) -> None:
    definition = load_definition(write_space(tmp_path))
    assert stratified(definition, 24)[:9] == stratified(definition, 9)


def test_limits_hold_for_all_but_the_baseline(tmp_path: Path) -> None:
    definition = load_definition(write_space(tmp_path, LIMITED))
    first, *others = [definition.space.spec(arm.values) for arm in stratified(definition, 12)]
    limit = 0.6 * count(definition.space.baseline).macs
    assert first == definition.space.baseline
    assert all(count(spec).macs <= limit for spec in others)


def test_a_space_without_its_baseline_is_sampled_without_it(tmp_path: Path) -> None:
    definition = load_definition(write_space(tmp_path, WITHOUT_BASELINE))
    assert definition.space.baseline not in [definition.space.spec(arm.values) for arm in stratified(definition, 12)]


def test_all_of_a_space_with_fewer_than_asked_for(tmp_path: Path) -> None:
    definition = load_definition(write_space(tmp_path))
    ids = {definition.space.spec(values).id for values in definition.space.all_values()}
    assert {definition.space.spec(arm.values).id for arm in stratified(definition, 1000)} == ids


def test_too_few_are_refused(tmp_path: Path) -> None:
    small = MINI.replace("res_blocks: [1/2, 1/1]", "").replace("[sd, no_stage0, middle, none]", "[sd]")
    with pytest.raises(BadInput, match="the space has 6 different architectures within its limits"):
        stratified(load_definition(write_space(tmp_path, small)), 16)
    with pytest.raises(BadInput, match=f"--architectures: {LEAST} are the least"):
        stratified(load_definition(write_space(tmp_path)), LEAST - 1)
