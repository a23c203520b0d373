"""Every plan that cannot be made is one line: where it is, what is wrong, and what would be right."""

import pytest

from tests.space.conftest import GOOD, Refuse

STEP = "search: {strategy: ladder}\nladder: [{step: one, values: {%s}}]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "search: {strategy: ladder}\n", "ladder: its steps and search.strategy ladder go together"),
        (GOOD + STEP.partition("\n")[2] % "conv: separable", "4:9: ladder: its steps and search.strategy"),
        (GOOD + STEP % "cov: separable", "5:30: ladder[0].values: 'cov' is not a knob of this space; did you mean"),
        (GOOD + STEP % "ff_ratio: 5", "5:30: ladder[0].values: ff_ratio has no value 5"),
        (GOOD + STEP % "", "5:30: ladder[0].values: must have at least one entry"),
        (GOOD.replace("standard, ", "") + STEP % "ff_ratio: 4", "2:15: knobs.conv: the plan starts from the baseline"),
        (GOOD + STEP % "ff_ratio: 4" + 'require: ["ff_ratio > 4"]\n', "5:30: ladder[0].values: require excludes"),
        (
            GOOD + STEP.replace("]\n", ", {step: one, values: {ff_ratio: 4}}]\n") % "conv: separable",
            "5:57: ladder[1].step: 'one' is there twice; give each step a name of its own",
        ),
        (
            GOOD + STEP % "conv: standard",
            "5:10: ladder[0]: step 'one': it builds the same network as baseline; leave it out",
        ),
    ],
)
def test_ladders_that_cannot_be_climbed(text: str, message: str, refuse: Refuse) -> None:
    assert message in refuse(text)


KNOBS = "{conv: [standard, separable], ff_ratio: [4, 8]}"


@pytest.mark.parametrize(
    ("search", "knobs", "message"),
    [
        ("ablate", "{ff_ratio: [6, 4]}", "2:19: knobs.ff_ratio: the plan starts from the baseline; add its value, 8"),
        ("ablate", KNOBS + "\nrequire: [ff_ratio < 8]", "3:10: require: it excludes the baseline, where the plan"),
        ("leave_one_out", "{conv: [standard]}", "4:9: search.change: nothing is changed; give a knob a value that"),
        (
            "leave_one_out, change: {cov: separable}",
            KNOBS,
            "4:44: search.change.cov: 'cov' is not a knob of this space; did you mean 'conv'?",
        ),
        ("factorial, change: {ff_ratio: 5}", KNOBS, "4:50: search.change.ff_ratio: ff_ratio has no value 5"),
        (
            "leave_one_out, change: {ff_ratio: 4}",
            KNOBS + "\nrequire: [\"ff_ratio == 8 or conv == 'standard'\"]",
            "5:43: search.change: there can be no full change: require excludes it",
        ),
        (
            "factorial",
            "{self_attention: [all, none], kv_sharing: [none, self]}",
            "4:9: search.change: a factorial plan needs every combination, and there can be no 'the full change': it "
            "builds the same network as self_attention; keep a knob at the baseline's value",
        ),
        (
            "factorial",
            "{conv: [standard, separable], res_blocks: {choices: [1/2, 1/1], when: {conv: standard}}}",
            "there can be no 'conv': res_blocks is in effect only where conv is standard",
        ),
        (
            "factorial, resolution: 4",
            KNOBS,
            "4:43: search.resolution: 2 changed knobs have no fraction of resolution 4",
        ),
        (
            "grid",
            "{ff_ratio: {low: 1, high: 100}, width: {low: 0.01, high: 9, step: 0.01}, conv: [standard, separable]}",
            "4:20: search.strategy: a grid of 180,000 architectures; take fewer values, or a search",
        ),
    ],
)
def test_plans_that_cannot_be_made(search: str, knobs: str, message: str, refuse: Refuse) -> None:
    text = f"baseline: tiny\nknobs: {knobs}\nproxy: {{data: digits}}\nsearch: {{strategy: {search}}}\n"
    assert message in refuse(text)
