"""Effects of knob values from the trials of a search: by matched pairs, or by a main-effects fit."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from archlab.analysis.effects.effect import Effect
from archlab.analysis.effects.intervals import METHOD_NAMES, IntervalMethod, paired_difference, t_difference
from archlab.analysis.single_changes import single_changes
from archlab.analysis.table import StudyTable, cost_columns, latency_columns
from archlab.remarks import unheard
from archlab.space import SearchSpace, label

LEAST_PAIRS = 3
_LEAST_FREEDOM = 3
_CERTAIN = 1 - 1e-9  # leverage of a trial that a coefficient is made for


def search_effects(study: StudyTable, method: IntervalMethod) -> list[Effect]:
    """The price of every knob value against the baseline's, over the baseline and the trials trained to the end.

    From `LEAST_PAIRS` pairs of trials on that differ in this knob alone: the mean of their differences. With fewer:
    least squares on all knobs, one coefficient a value, with HC3 errors (MacKinnon and White 1985), over the trials in
    which the knob has an effect. Costs that a formula or a table tells are those of this change alone on the baseline.

    Raises:
        BadInput: the study's settings are damaged.
    """
    space = study.space
    trained = _comparable(study)
    labels = pd.DataFrame({knob: [_shown(value) for value in trained[knob]] for knob in study.knobs}, trained.index)
    costs = trained[cost_columns(study)].astype(float)
    facts = costs.assign(quality=trained["quality"].astype(float))
    exact = _single_changes(study)
    effects = []
    for knob in study.knobs:
        base, contexts = _shown(study.baseline.get(knob)), _contexts(labels, knob)
        fit = _Fit(facts, labels, knob, base, _acts(space, knob, trained["architecture"]))
        for value in _values(space, knob, base):
            known = Effect(change=f"{knob} = {value}", against=base, knob=knob, value=value, baseline=base)
            pairs = _pairs(contexts, base, value, trained["architecture"])
            effect = _matched(known, facts, pairs, method) if len(pairs) >= LEAST_PAIRS else fit.effect(known)
            effects.append(replace(effect, costs={**effect.costs, **exact.get((knob, value), {})}))
    return effects


def _single_changes(study: StudyTable) -> dict[tuple[str, str], dict[str, float]]:
    """What each knob value alone changes on the baseline, as far as formulas and tables tell."""
    entries = {entry.name: entry for entry in study.measure}
    measured = {column: entries[device] for column, device in latency_columns(study).items() if device in entries}
    return {(each.knob, _shown(each.value)): each.changes for each in single_changes(study.space, measured)}


def _matched(known: Effect, facts: pd.DataFrame, pairs: list[tuple[Any, Any]], method: IntervalMethod) -> Effect:
    before, after = (facts.loc[[pair[side] for pair in pairs]].to_numpy() for side in (0, 1))
    differences = pd.DataFrame(after - before, columns=facts.columns)
    return replace(
        known,
        quality=paired_difference(differences["quality"].tolist(), method),
        how=f"matched pairs, {METHOD_NAMES[method]}, {len(pairs)} pairs",
        n=len(pairs),
        costs={name: _number(differences[name].mean()) for name in map(str, differences) if name != "quality"},
    )


class _Fit:
    """Main effects of all knobs over the trials in which one of them has an effect; fitted when first asked for."""

    def __init__(
        self,
        facts: pd.DataFrame,
        labels: pd.DataFrame,
        knob: str,
        base: str,
        acts: Callable[[Any, dict[Any, str]], bool],
    ) -> None:
        self.facts, self.labels, self.knob, self.base, self.acts = facts, labels, knob, base, acts

    def effect(self, known: Effect) -> Effect:
        """The coefficient of one value; without an estimate where the trials do not determine it."""
        had = self._acting[self.knob]
        for value in (self.base, known.value):
            if not (had == value).any():
                return replace(known, missing=f"cannot be told: no comparable trained trial has {self.knob} = {value}")
            if not (had[self._design.index] == value).any():
                few = "1 comparable trial is" if len(had) == 1 else f"{len(had)} comparable trials are"
                return replace(known, missing=f"cannot be told: {few} too few")
        matrix, column = self._design.to_numpy(), f"{self.knob} = {known.value}"
        rank = np.linalg.matrix_rank(matrix)
        if np.linalg.matrix_rank(self._design.drop(columns=column).to_numpy()) == rank:
            return replace(known, missing="cannot be told: other knobs always changed with it in these trials")
        if len(matrix) - rank < _LEAST_FREEDOM:
            return replace(known, missing=f"cannot be told: {len(matrix)} comparable trials are too few")
        place = list(self._design).index(column)
        return replace(
            known,
            quality=t_difference(
                float(self._quality.params[place]), float(self._quality.bse[place]), len(matrix) - rank
            ),
            how=f"main-effects fit, HC3 errors, {len(matrix)} trials",
            n=len(matrix),
            costs={name: _number(found[place]) for name, found in self._costs.items()},
        )

    @cached_property
    def _acting(self) -> pd.DataFrame:
        """Labels of the trials in which the knob has an effect."""
        return self.labels.loc[[self.acts(trial, row) for trial, row in self.labels.to_dict("index").items()]]

    @cached_property
    def _design(self) -> pd.DataFrame:
        """A row a trial, a column a value that is not its knob's reference. A trial that is the only one of its kind
        fits exactly and tells nothing of noise: such are left out until there is none."""
        labels = self._acting
        while True:
            design = _one_hot(labels, self.knob, self.base)
            kept = _leverage(design.to_numpy()) < _CERTAIN
            if kept.all():
                return design
            labels = labels[kept]

    @cached_property
    def _quality(self) -> Any:
        from statsmodels.regression.linear_model import OLS

        values = self.facts.loc[self._design.index, "quality"]
        with unheard("statsmodels"):
            return OLS(values.to_numpy(), self._design.to_numpy()).fit(cov_type="HC3", use_t=True)

    @cached_property
    def _costs(self) -> dict[str, npt.NDArray[np.float64]]:
        """Coefficients of each cost; NaN where it is not known of every trial."""
        costs = self.facts.loc[self._design.index].drop(columns="quality")
        solved = np.linalg.lstsq(self._design.to_numpy(), costs.fillna(0).to_numpy(), rcond=None)[0]
        known = np.where(costs.notna().all(), 1.0, np.nan)
        return dict(zip(map(str, costs), (solved * known).T, strict=True))


def _one_hot(labels: pd.DataFrame, knob: str, base: str) -> pd.DataFrame:
    """The reference is the baseline's value of the knob in question, and the first one of the others."""
    columns = {"mean": pd.Series(1.0, index=labels.index)}
    for name in labels:
        values = sorted(set(labels[name]), key=lambda value: (name == knob and value != base, value))
        columns |= {f"{name} = {value}": (labels[name] == value).astype(float) for value in values[1:]}
    return pd.DataFrame(columns)


def _leverage(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Diagonal of the hat matrix."""
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    rank = int((sizes > sizes.max(initial=0) * 1e-10).sum())
    return np.asarray(np.square(left[:, :rank]).sum(axis=1))


def _acts(space: SearchSpace, knob: str, architectures: pd.Series) -> Callable[[Any, dict[Any, str]], bool]:
    """Whether the knob has an effect on the network of a trial with these labels."""
    values = {name: {_shown(label(value)): value for value in domain.values} for name, domain in space.knobs.items()}

    def acts(trial: Any, row: dict[Any, str]) -> bool:
        chosen = {name: known[row[name]] for name, known in values.items() if row[name] in known}
        own = space.in_effect(chosen)
        if knob not in own:
            return False
        others = [value for value in space.knobs[knob].values if value != own[knob]]
        return not others or space.spec(own | {knob: others[0]}).id != architectures[trial]

    return acts


def _comparable(study: StudyTable) -> pd.DataFrame:
    """Trials trained to the end and the baseline, their quality under one label."""
    trials = study.trials
    trained: pd.DataFrame = trials[(trials["status"] == "complete") & trials["quality"].notna()]
    own = {"architecture": study.baseline_spec.id, **study.baseline}
    if own.get("quality") is not None and own["architecture"] not in set(trained["architecture"]):
        known = pd.DataFrame([own]).reindex(columns=trained.columns).dropna(axis="columns")
        trained = pd.concat([trained, known], ignore_index=True)
    if study.proxy.quality == "fid" and trained["fid_label"].nunique() > 1:
        trained = trained[trained["fid_label"] == trained["fid_label"].mode()[0]]
    return trained


def _values(space: SearchSpace, knob: str, base: str) -> Sequence[str]:
    """The knob's values but the baseline's, in the order of the space."""
    values = [label(value) for value in space.knobs[knob].values]
    return [shown for value in values if (shown := _shown(value)) != base]


def _contexts(labels: pd.DataFrame, knob: str) -> list[dict[str, Any]]:
    """For each combination of the other knobs, trials by their value of this one; of equals the first."""
    others = [labels[name].tolist() for name in labels if name != knob]
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for index, value, *context in zip(labels.index.tolist(), labels[knob].tolist(), *others, strict=True):
        found.setdefault(tuple(context), {}).setdefault(value, index)
    return list(found.values())


def _pairs(contexts: list[dict[str, Any]], base: str, value: str, architectures: pd.Series) -> list[tuple[Any, Any]]:
    """Trials that differ in one knob alone and are not the same network: with the baseline's value, with the other."""
    both = [(trials[base], trials[value]) for trials in contexts if base in trials and value in trials]
    return [(before, after) for before, after in both if architectures[before] != architectures[after]]


def _shown(value: Any) -> str:
    """A label as text, whether the table keeps it as a whole number or not; empty where there is none."""
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, (int, float, np.number)) else str(value)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
