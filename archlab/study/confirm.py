"""The front is confirmed before a study ends: measured side by side with the baseline, in rounds."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from archlab.analysis.front import may_be_on_front
from archlab.architecture import UNetSpec
from archlab.evaluation import Baseline, Confirmation, Record, SideBySide, Timing, pooled
from archlab.evaluation.confirmation import LEAST_ROUNDS
from archlab.evaluation.latency import AnyLatency
from archlab.evaluation.measures import direction
from archlab.latency.measurement import Measurement
from archlab.study.callbacks import Callbacks
from archlab.study.compatibility import fitting_values
from archlab.study.confirmed import confirmed_baseline, confirmed_record
from archlab.study.definition import StudyDefinition
from archlab.study.evaluate import STAGES, Stages, in_one_line
from archlab.study.saved import SavedStudy

TRUST = 0.05  # beyond its interval, a latency that was measured once may be off by this share
_AT_FAULT = 2  # failures in one round, all of what was measured before: it is the device, which is waited for each time

RECORDED = "it is a recording, which cannot be measured again"

Bounds = tuple[float, float]


def deciding_devices(settings: SavedStudy) -> list[Measurement]:
    """Those whose latency is an objective or limited."""
    named = settings.named_columns
    return [where for column, where in settings.latency_columns.items() if column in named]


@dataclass(frozen=True, kw_only=True)
class FrontConfirmation:
    """Measures what is on or near a study's front again, until the front is known.

    Attributes:
        records: every finished trial, with its latencies as they were measured once.
        baseline: likewise.
        keep: takes what is known after every round.
        report: hears of a device and the share of the work on it that is done.
    """

    definition: StudyDefinition
    settings: SavedStudy
    baseline: Baseline
    records: Sequence[Record]
    keep: Callable[[Confirmation], None]
    report: Callable[[str, float], None] = lambda device, done: None
    stages: Stages = STAGES

    def run(self, confirmation: Confirmation) -> Confirmation:
        """Round by round, on every device, as long as something near the front is not known well enough.

        After every round it is asked anew what is near the front: what turns out slower makes room for others.
        """
        while lacking := list(self._lacking(confirmation)):
            for where, wanted in lacking:
                device = self._with_round(self._side(confirmation, where), where, wanted)
                now = datetime.now(UTC).isoformat()
                confirmation = replace(
                    confirmation, devices=confirmation.devices | {where.name: device}, measured_at=now
                )
                self.keep(confirmation)
        return confirmation

    def _lacking(self, confirmation: Confirmation) -> Iterator[tuple[Measurement, list[Record]]]:
        """What has to be measured further, by device."""
        near = self._near(confirmation)
        for where in deciding_devices(self.settings):
            side = self._side(confirmation, where)
            wanted = [record for record in near if not side.is_settled(record.architecture)]
            if wanted:
                seen = sum(min(side.seen(record.architecture), LEAST_ROUNDS) for record in wanted)
                settled = LEAST_ROUNDS * (len(near) - len(wanted))
                self.report(where.name, (seen + settled) / (LEAST_ROUNDS * len(near)))
                yield where, wanted

    def _with_round(self, side: SideBySide, where: Measurement, wanted: Sequence[Record]) -> SideBySide:
        """One round: the baseline and each of the wanted, in an order of its own."""
        specs = {record.architecture: self._spec(record) for record in wanted}
        specs[side.baseline] = self.definition.space.baseline
        order = list(specs)
        random.Random(f"{self.settings.search.seed} {where.name} {len(side.rounds)}").shuffle(order)
        timings, provenance, failures = {}, side.provenance, 0
        for architecture in order:
            try:
                latency = self.stages.again(specs[architecture], where, Callbacks())
            except Exception as error:  # whatever device or converter do, what is known stays
                reason, failures = str(error) or in_one_line(error), failures + 1
                if architecture == side.baseline or failures == _AT_FAULT:
                    return replace(side, not_measured=reason)
                side = replace(side, failed=side.failed | {architecture: reason})
                continue
            if latency.kind == "replayed":
                return replace(side, not_measured=RECORDED)
            timings[architecture] = Timing(latency.median_ms, latency.noise)
            if architecture == side.baseline:
                provenance = latency.provenance
        return side.with_round(timings, provenance)

    def _near(self, confirmation: Confirmation) -> list[Record]:
        """The trials that are on the front or may be, as far as their latencies are known."""
        limits = confirmed_baseline(self.baseline, confirmation, self.settings).limits
        records = [
            record
            for record in pooled(self.records)
            if confirmed_record(record, confirmation, limits, self.settings).evaluation.status == "complete"
        ]
        bounds = {
            record.trial: found for record in records if (found := self._bounds(record, confirmation)) is not None
        }
        ends = [[[bound[end] for bound in own] for own in bounds.values()] for end in (0, 1)]
        is_near = dict(zip(bounds, may_be_on_front(*ends), strict=True))
        return [record for record in records if is_near.get(record.trial)]

    def _bounds(self, record: Record, confirmation: Confirmation) -> list[Bounds] | None:
        """Between which values each objective lies, lower is better; None where one is not known."""
        found: list[Bounds] = []
        columns = self.settings.latency_columns
        for objective in self.settings.objectives:
            value = record.evaluation.value(objective)
            if value is None:
                return None
            if where := columns.get(objective):
                side, known = self._side(confirmation, where), record.evaluation.latency[where.name]
                found.append(self._share_of_baseline(side, record.architecture, known, where.name))
            else:
                turned = value if direction(objective) == "minimize" else -value
                found.append((turned, turned))
        return found

    def _share_of_baseline(self, side: SideBySide, architecture: str, known: AnyLatency, device: str) -> Bounds:
        """Between which shares of the baseline's latency a latency lies.

        One that was measured once is compared with both medians of the baseline, then and side by side: either may have
        been under its circumstances. One that is noisy may be anything less, too.
        """
        if side.is_known(architecture):
            ratio = side.ratio(architecture)
            return ratio.low, ratio.high
        scales = [self.baseline.latency[device].median_ms]
        if side.is_known(side.baseline):
            scales.append(side.baseline_ms().value)
        low = 0.0 if known.noisy else (1 - TRUST) * known.low_ms / max(scales)
        return low, (1 + TRUST) * known.high_ms / min(scales)

    def _side(self, confirmation: Confirmation, where: Measurement) -> SideBySide:
        return confirmation.devices.get(where.name) or SideBySide(baseline=self.definition.space.baseline.id)

    def _spec(self, record: Record) -> UNetSpec:
        space = self.definition.space
        values = fitting_values(space, record)
        assert values is not None  # a study's table has none that its space has no place for
        return space.spec(values)
