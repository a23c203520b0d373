"""Several studies on one front."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from archlab.analysis.front import mark_front
from archlab.analysis.hypervolume import covered
from archlab.analysis.networks import Network, SeedSpread, Trainings, network_of, over_seeds, seed_spread, trainings
from archlab.analysis.picks import picks
from archlab.analysis.table import StudyTable, cost_objectives, devices, minimised
from archlab.errors import BadInput
from archlab.evaluation.measures import COSTS, OF_DEVICES, device_columns
from archlab.latency.measurement import Measurement

_MOST_NAMED = 3
_OF_A_DEVICE = ("device", "threads", "precision", "compute", "attention")
_OF_A_RUN = ("rungs", "seeds", "threads", "micro_batch")  # of a proxy's settings: do not change what its quality means


class ComparedPick(NamedTuple):
    """A trial chosen from the front over all studies, with one sentence of why."""

    study: str
    trial: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What several studies found, on one front.

    Attributes:
        studies: their names; `first` is the first of them: objectives and what numbers are called are its own.
        trials: one row a complete trial: ``study``, ``trial``, objectives, ``params_m``, ``macs_g``, how latencies came
            about, every knob of any study, ``network`` (the same number for trials of one network), ``also`` (where
            else it was trained), ``seeds`` (with how many), ``quality_std`` (between them), ``on_front`` (of all
            studies together). Trials of one network have the same objectives: means over its seeds, and over what was
            measured on a device.
        spread: what another seed changes; None where no network was trained with two.
        covered: by study, the hypervolume that its own trials cover, as a share of the box that all of them span; see
            `archlab.analysis.hypervolume`.
        covered_by_all: the share that all cover together.
    """

    studies: tuple[str, ...]
    first: StudyTable
    trials: pd.DataFrame
    spread: SeedSpread | None
    covered: Mapping[str, float]
    covered_by_all: float

    @property
    def objectives(self) -> list[str]:
        """What all of them have."""
        return list(self.first.objectives)

    @property
    def front(self) -> pd.DataFrame:
        """The networks of the front over all studies, a row each, the cheapest first; of one that several studies have,
        ``study`` and ``trial`` are the first's."""
        costs = cost_objectives(self.objectives) or ["quality"]
        networks = self.trials[self.trials["on_front"]].drop_duplicates("network")
        return networks.sort_values([*costs, "study", "trial"]).reset_index(drop=True)

    @property
    def picks(self) -> dict[str, ComparedPick]:
        """Picks of that front; see `archlab.analysis.picks`. That of ``best`` says what another seed may put first."""
        front = self.front
        chosen = picks(front.assign(trial=front.index), self.objectives)
        places = list(zip(front["study"].astype(str), front["trial"].astype(int), strict=True))
        found = {word: ComparedPick(*places[pick.trial], pick.why) for word, pick in chosen.items()}
        if best := found.get("best"):
            found["best"] = best._replace(why=best.why + self._as_good(front, chosen["best"].trial))
        return found

    def _as_good(self, front: pd.DataFrame, best: int) -> str:
        """The networks of the front whose qualities seeds may have put behind that of the row ``best``."""
        rows = front.to_dict("index")
        within = [
            f"trial {row['trial']} of {row['study']}"
            for index, row in rows.items()
            if index != best and self.is_within_seeds(row, rows[best])
        ]
        more = f" and {len(within) - _MOST_NAMED} more" if len(within) > _MOST_NAMED else ""
        return f"; another seed may put {', '.join(within[:_MOST_NAMED])}{more} before it" if within else ""

    def is_within_seeds(self, row: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool | None:
        """Whether the qualities of two rows are no further apart than seeds alone may put them; None where nobody
        knows."""
        margin = self.margin(row, other)
        return None if margin is None else abs(row["quality"] - other["quality"]) <= margin

    def margin(self, row: Mapping[Any, Any], other: Mapping[Any, Any]) -> float | None:
        """How far the qualities of two rows may be apart by their seeds alone; None where nobody knows."""
        if self.spread is None or pd.isna(row["seeds"]) or pd.isna(other["seeds"]):
            return None
        return self.spread.margin(int(row["seeds"]), int(other["seeds"]))


def compare(studies: Sequence[StudyTable]) -> Comparison:
    """Put the complete trials of two or more studies on one front.

    Raises:
        BadInput: fewer than two, one twice, nothing trained, or numbers that cannot be compared: other objectives,
            another score, other proxy training, another device or size of the target.
    """
    names = [study.name for study in studies]
    if len(set(names)) < max(2, len(names)):
        raise BadInput(f"compare: takes two or more different studies, not {', '.join(names) or 'none'}")
    first = studies[0]
    for other in studies[1:]:
        if difference := next(_differences(first, other), None):
            raise BadInput(f"compare: {first.name} and {other.name} cannot be on one chart: {difference}")
    trials = pd.concat([_complete(study) for study in studies], ignore_index=True)
    if trials.empty:
        raise BadInput(f"compare: no trial of {', '.join(names)} has been trained to the end yet")
    known = trainings(studies)
    trials = _one_point_a_network(trials, known, first.objectives)
    trials["on_front"] = mark_front(trials.assign(status="complete"), first.objectives)
    points = minimised(trials, first.objectives).to_numpy()
    return Comparison(
        studies=tuple(names),
        first=first,
        trials=trials,
        spread=seed_spread(known),
        covered={name: covered(points[(trials["study"] == name).to_numpy()], among=points) for name in names},
        covered_by_all=covered(points),
    )


def _complete(study: StudyTable) -> pd.DataFrame:
    trials = study.trials[study.trials["status"] == "complete"].dropna(subset=list(study.objectives))
    kinds = [name for name in device_columns("latency_kind", devices(study)) if name in trials]
    columns = dict.fromkeys(["trial", *study.objectives, *COSTS, *kinds, *study.knobs])
    proxies = {record.trial: record.evaluation.proxy for record in study.records}
    networks: list[Any] = [
        Network(architecture) if (proxy := proxies[trial]) is None else network_of(architecture, proxy)
        for trial, architecture in zip(trials["trial"], trials["architecture"], strict=True)
    ]
    return trials[list(columns)].assign(study=study.name, network=networks)[["study", *columns, "network"]]


def _one_point_a_network(trials: pd.DataFrame, known: Trainings, objectives: Sequence[str]) -> pd.DataFrame:
    """Objectives of a network's trials made equal, and told with how many seeds it was trained, and where else."""
    numbers, networks = pd.factorize(trials["network"])
    told = [over_seeds(known.get(network, {}), objectives) for network in networks]
    scores = pd.DataFrame(told, columns=list(dict.fromkeys([*objectives, "seeds", "quality_std"])))
    scores = scores.iloc[numbers].set_index(trials.index)
    means = trials[list(objectives)].astype(float).groupby(numbers).transform("mean")
    places = [f"trial {trial} of {study}" for study, trial in zip(trials["study"], trials["trial"], strict=True)]
    by_network = pd.Series(places).groupby(numbers).agg(list)
    elsewhere = [
        [at for at in by_network[number] if at != place] for number, place in zip(numbers, places, strict=True)
    ]
    also: list[Any] = [", ".join(at) or None for at in elsewhere]
    beside = scores[["seeds", "quality_std"]].assign(also=also, network=numbers)
    return trials.assign(**scores[list(objectives)].fillna(means), **beside)


def _differences(a: StudyTable, b: StudyTable) -> Iterator[str]:
    """What keeps their numbers from being compared, in words."""
    if set(a.objectives) != set(b.objectives):
        yield f"their objectives are {', '.join(a.objectives)} and {', '.join(b.objectives)}"
    for column in a.objectives:
        ours, theirs = _label(a, column), _label(b, column)
        if ours != theirs:
            yield f"{column} is {ours} in one and {theirs} in the other"
    yield from _differing("proxy", _training(a), _training(b))
    for column in a.objectives:
        one, other = _device(a, column), _device(b, column)
        if one and other:
            yield from _differing(column, _use(one), _use(other))
            yield from _other_chips(column, _chips(a, one), _chips(b, other))
    yield from _differing("target", _target(a), _target(b))


def _training(study: StudyTable) -> dict[str, Any]:
    """What the proxy's quality depends on besides the architecture."""
    proxy = study.proxy.model_dump(mode="json", exclude=set(_OF_A_RUN))
    return {"steps": study.proxy.rungs[-1], **proxy}


def _label(study: StudyTable, column: str) -> str | None:
    """What a score is, with how many images and by what it was judged; None for what is no score."""
    if column == "quality":
        return study.quality_label
    results = (record.evaluation.proxy for record in study.records)
    return next((proxy.scores[column].label for proxy in results if proxy and column in proxy.scores), None)


def _device(study: StudyTable, column: str) -> Measurement | None:
    """Where what the column holds was measured; None for what no device decides."""
    entries = {entry.name: entry for entry in study.measure}
    columns = {own: name for measure in OF_DEVICES for own, name in device_columns(measure, devices(study)).items()}
    return entries[columns[column]] if column in columns else None


def _use(device: Measurement) -> dict[str, Any]:
    """The device and how it is used."""
    return device.model_dump(mode="json", include=set(_OF_A_DEVICE))


def _chips(study: StudyTable, device: Measurement) -> set[str]:
    """What latencies were measured on, as far as it was recorded."""
    found = (record.evaluation.latency.get(device.name) for record in study.records)
    return {str(chip) for latency in found if latency and (chip := latency.provenance.get("chip"))}


def _other_chips(column: str, one: set[str], other: set[str]) -> Iterator[str]:
    if one and other and one.isdisjoint(other):
        yield f"{column} is of {' and '.join(sorted(one))} in one and {' and '.join(sorted(other))} in the other"


def _target(study: StudyTable) -> dict[str, Any]:
    known = study.baseline_spec
    return {key: getattr(known, key) for key in ("sample_size", "context_length", "context_dim")}


def _differing(what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    for key in ours:
        if ours[key] != theirs.get(key):
            yield f"{what}: {key} is {ours[key]} in one and {theirs.get(key)} in the other"
