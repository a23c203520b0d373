"""Effects and price lists of studies on disk."""

from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats
from statsmodels.formula.api import ols

from archlab.analysis.effects import effects, price_list
from archlab.cost import count
from archlab.errors import BadInput
from archlab.study import load_study
from tests.analysis.effects.conftest import Run, Write
from tests.analysis.effects.studies import KNOBS, changed

NOISE = np.random.default_rng(1).normal(0, 0.002, (40, 9))
ALONE = dict(zip(KNOBS, (-0.02, 0.03, 0.0, 0.004, 0.01), strict=True))


def noisy(knobs: set[str], seed: int) -> float:
    """Additive, with noise that is the same each time."""
    place = sum(2**k for k, name in enumerate(KNOBS) if name in knobs)
    return 0.2 + sum(ALONE[name] for name in knobs) + 0.01 * seed + float(NOISE[place, seed])


def test_an_ablation_pairs_arms_by_seed(write: Write, run: Run) -> None:
    definition = write("ablate")
    table: Any = effects(run(definition, noisy, seeds=5)).set_index("change")
    before, after = ([noisy(knobs, seed) for seed in range(5)] for knobs in (set(), {"conv"}))
    row = table.loc["conv = separable"]
    assert (row["low"], row["high"]) == pytest.approx(stats.ttest_rel(after, before).confidence_interval())
    together = stats.ttest_rel(after, before).confidence_interval(1 - 0.05 / 5)  # five intervals
    assert (row["low_together"], row["high_together"]) == pytest.approx(together)
    own, baseline = count(definition.space.spec({"conv": "separable"})), count(definition.space.baseline)
    assert row["params_m_change"] == pytest.approx(own.params_m - baseline.params_m)
    assert row["against"] == "baseline"
    assert row["verdict"].startswith("worse by 0.0098 ± 0.0028")
    assert row["verdict"].endswith(" (95 %, paired t, 5 seeds)")
    assert table.loc["ff_ratio = 4", "verdict"].startswith("no effect seen at ± 0.00")


def test_one_seed_cannot_tell(write: Write, run: Run) -> None:
    row: Any = effects(run(write("ablate"), noisy)).set_index("change").loc["kv_sharing = self"]
    assert np.isnan(row["low"])
    assert row["verdict"].startswith("0.0")
    assert row["verdict"].endswith("better in one seed: it cannot tell an effect from chance; raise proxy.seeds")


def test_an_arm_that_was_not_trained_says_why_and_keeps_its_cost(write: Write, run: Run) -> None:
    table: Any = effects(run(write("ablate"), noisy, seeds=3, gated=(1,))).set_index("change")
    row = table.loc["kv_sharing = self"]
    assert row["verdict"] == "kv_sharing = self: gated: macs_g 9 is over the limit of 8"
    assert row["params_m_change"] < 0
    assert np.isnan(row["quality_change"])


def test_an_arm_that_was_not_evaluated_yet_says_so(write: Write, run: Run) -> None:
    definition = write("ablate")
    some = [arm.values for arm in definition.plan().arms[:3]]
    table: Any = effects(run(definition, noisy, seeds=3, trials=some)).set_index("change")
    assert table.loc["conv = separable", "verdict"] == "conv = separable: not evaluated yet"


def test_what_may_be_chance_among_many_says_so(write: Write, run: Run) -> None:
    study = run(write("ablate"), lambda knobs, seed: 0.2 + (knobs == {"conv"}) * (0.007 + 0.003 * seed), seeds=3)
    said = effects(study).set_index("change")["verdict"]["conv = separable"]
    assert said == "worse by 0.0100 ± 0.0075 (95 %, paired t, 3 seeds); among 5 comparisons this may be chance"


def test_a_factorial_plan_is_fitted_by_least_squares(write: Write, run: Run) -> None:
    definition = write("factorial", {"resolution": 5})
    study = run(definition, noisy, seeds=3)
    table: Any = effects(study).set_index("change")
    rows = [
        {name: 1 if name in changed(definition, arm.values) else -1 for name in KNOBS}
        | {"seed": seed, "quality": noisy(changed(definition, arm.values), seed)}
        for arm in definition.plan().arms
        for seed in range(3)
    ]
    oracle = ols(
        f"quality ~ ({' + '.join(KNOBS)})**2 + C(seed)", {key: [r[key] for r in rows] for key in rows[0]}
    ).fit()
    for knob, values in KNOBS.items():
        row = table.loc[f"{knob} = {values[1]}"]
        assert (row["low"], row["high"]) == pytest.approx(tuple(2 * oracle.conf_int().loc[knob]))
    assert table.loc["kv_sharing × conv", "quality_change"] == pytest.approx(2 * oracle.params["kv_sharing:conv"])
    assert len(price_list(study)) == len(KNOBS)


def test_a_fraction_names_its_aliases(write: Write, run: Run) -> None:
    table: Any = effects(run(write("factorial", {"resolution": 3}), noisy, seeds=2)).set_index("change")
    # Eight runs of five knobs: every main effect but the base factors' products is free of other main effects only.
    named = {change: set(aliases.split(", ")) for change, aliases in table["aliases"].items() if aliases}
    assert len(table) == 7
    assert sum(map(len, named.values())) == 15 - 7
    assert all("×" in alias for aliases in named.values() for alias in aliases)


def test_missing_arms_leave_a_factorial_plan_undetermined(write: Write, run: Run) -> None:
    table = effects(run(write("factorial", {"resolution": 3}), noisy, seeds=2, gated=(2,)))
    assert table["quality_change"].isna().all()
    assert table["verdict"].str.contains("leave the effects undetermined").all()


def test_a_search_is_priced_by_pairs_where_there_are_three(write: Write, run: Run) -> None:
    definition = write("random")
    some = [
        {"conv": a, "ff_ratio": b, "kv_sharing": c} for a in KNOBS["conv"] for b in (8, 4) for c in ("none", "self")
    ]
    prices: Any = price_list(run(definition, noisy, trials=some)).set_index("change")
    pairs = [
        ({"ff_ratio"} & on, {"ff_ratio", "conv"} & on)  # each with and without conv
        for on in ({"conv"}, {"conv", "ff_ratio"})
    ]
    changes = [
        noisy(after | more, 0) - noisy(before | more, 0) for before, after in pairs for more in (set(), {"kv_sharing"})
    ]
    row = prices.loc["conv = separable"]
    assert (row["low"], row["high"]) == pytest.approx(stats.ttest_1samp(changes, 0).confidence_interval())
    assert row["how"] == "matched pairs, paired t, 4 pairs"
    assert prices.loc["ff_activation = swish", "verdict"] == (
        "cannot be told: no comparable trained trial has ff_activation = swish"
    )


def test_the_baseline_that_is_no_trial_makes_pairs_too(write: Write, run: Run) -> None:
    definition = write("random")
    some = [{"conv": "separable"}, {"ff_ratio": 4}, {"ff_ratio": 4, "conv": "separable"}]
    some += [{"kv_sharing": "self"}, {"kv_sharing": "self", "conv": "separable"}]
    prices: Any = price_list(run(definition, noisy, trials=some, baseline=0.5)).set_index("change")
    changes = [noisy({"conv"}, 0) - 0.5]
    changes += [noisy({other, "conv"}, 0) - noisy({other}, 0) for other in ("ff_ratio", "kv_sharing")]
    row = prices.loc["conv = separable"]
    assert row["how"] == "matched pairs, paired t, 3 pairs"
    assert row["quality_change"] == pytest.approx(sum(changes) / 3)


def test_costs_of_a_change_are_exact_without_any_training(write: Write, run: Run) -> None:
    definition = write("random")
    prices: Any = price_list(run(definition, noisy, trials=[{}, {"conv": "separable", "ff_ratio": 4}])).set_index(
        "change"
    )
    before, after = count(definition.space.baseline), count(definition.space.spec({"conv": "separable"}))
    row = prices.loc["conv = separable"]
    assert (row["params_m_change"], row["macs_g_change"]) == pytest.approx(
        (after.params_m - before.params_m, after.macs_g - before.macs_g)
    )
    assert np.isnan(row["quality_change"])
    assert row["verdict"] == "cannot be told: 2 comparable trials are too few"


def test_a_search_without_pairs_is_fitted(write: Write, run: Run) -> None:
    """A half fraction: any two of its trials differ in two knobs at least."""
    half = [arm.values for arm in write("factorial", {"resolution": 5}).plan().arms]
    definition = write("random")
    study = run(definition, noisy, trials=half)
    prices: Any = price_list(study).set_index("knob")
    frame = study.trials.assign(ff_ratio=study.trials["ff_ratio"].astype(str))
    terms = " + ".join(f"C({knob}, Treatment('{values[0]}'))" for knob, values in KNOBS.items())
    oracle = ols(f"quality ~ {terms}", frame).fit(cov_type="HC3", use_t=True)
    for knob, values in KNOBS.items():
        place = f"C({knob}, Treatment('{values[0]}'))[T.{values[1]}]"
        row = prices.loc[knob]
        assert row["how"] == "main-effects fit, HC3 errors, 16 trials"
        assert (row["low"], row["high"]) == pytest.approx(tuple(oracle.conf_int().loc[place]))


def test_trials_in_which_a_knob_has_no_effect_are_left_out_of_its_fit(write: Write, run: Run) -> None:
    knobs = {"self_attention": ["all", "none"], "kv_sharing": ["none", "self"], "ff_ratio": [8, 7, 6, 5, 4]}
    definition = write("random", knobs=knobs)
    trials = [
        {"self_attention": attention, "kv_sharing": sharing, "ff_ratio": ratio}
        for attention in ("all", "none")
        for sharing, ratios in (("none", (8, 7, 6, 8)), ("self", (8, 7, 5, 5)))
        for ratio in ratios
    ]
    study = run(definition, lambda knobs, seed: 0.2 + float(NOISE[len(knobs), seed]), trials=trials)
    prices: Any = price_list(study).set_index("knob")
    # Eight keep self-attention; of them the only one with ff_ratio 6 tells nothing of the others.
    assert prices.loc["kv_sharing", "how"] == "main-effects fit, HC3 errors, 7 trials"


def test_knobs_that_always_change_together_cannot_be_told_apart(write: Write, run: Run) -> None:
    definition = write("random")
    together = [
        {"conv": conv, "kv_sharing": kv, "ff_ratio": ratio, "ff_activation": act}
        for conv, kv in (("standard", "none"), ("separable", "self"))
        for ratio in (8, 4)
        for act in ("gelu", "swish")
    ]
    prices: Any = price_list(run(definition, noisy, trials=together)).set_index("knob")
    assert prices.loc["conv", "verdict"] == "cannot be told: other knobs always changed with it in these trials"
    assert np.isnan(prices.loc["kv_sharing", "quality_change"])


def test_a_search_has_prices_and_no_effects(write: Write, run: Run) -> None:
    study = run(write("random"), noisy, trials=[{}])
    with pytest.raises(BadInput, match="the study is a search"):
        effects(study)
    assert price_list(study)["quality_change"].isna().all()


@pytest.mark.parametrize("strategy", ["ablate", "ladder", "factorial"])
def test_the_space_of_a_study_is_read_back(strategy: str, write: Write, run: Run) -> None:
    lists = {"transformers": ["sd", [0, 1, 1, 1]], "self_attention": ["all", [True, False, True, True]]}
    conditional = {"res_blocks": {"choices": ["1/2", "1/1"], "when": {"conv": "separable"}}}
    more = lists | conditional if strategy == "ablate" else {}
    definition = write(strategy, knobs=KNOBS | more, require=["ff_ratio > 3"])
    restored = run(definition, noisy, trials=[]).definition
    assert restored.space.baseline == definition.space.baseline
    assert [arm.name for arm in restored.plan().arms] == [arm.name for arm in definition.plan().arms]
    specs = [[own.space.spec(arm.values).id for arm in own.plan().arms] for own in (definition, restored)]
    assert specs[0] == specs[1]


@pytest.mark.parametrize(
    "damage", [{"baseline_architecture": {}}, {"knobs": {"cov": {"values": [1]}}}, {"require": ["("]}]
)
def test_damaged_settings_are_one_line(damage: dict[str, Any], write: Write, run: Run) -> None:
    study = run(write("ablate"), noisy, trials=[])
    path = study.folder / "study.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8")) | damage), encoding="utf-8")
    with pytest.raises(BadInput, match=r"^\S*study\.yaml: damaged: [^\n]*; restore it$"):
        assert load_study(study.name, study.folder.parent).definition
