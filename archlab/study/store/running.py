"""Running trials in a database, of which a search that pauses trials may have thousands.

Optuna reads every running trial anew whenever it is asked for trials, in some milliseconds each. Here its tables, of
the form that they have had since Optuna 2, are asked which trials are running and which of those have changed.
"""

from collections.abc import Collection

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from archlab.study.store.leases import Leases

# A row's xmin is the transaction that wrote it last.
_VERSIONS = """
SELECT number, trial_id, concat_ws(
    ' ',
    (SELECT count(*) FROM trial_params AS of WHERE of.trial_id = trial.trial_id),
    (SELECT string_agg(of.xmin::text, ' ' ORDER BY key) FROM trial_user_attributes AS of
     WHERE of.trial_id = trial.trial_id)
)
FROM trials AS trial WHERE study_id = %s AND state = 'RUNNING' AND NOT number = ANY(%s) ORDER BY number
"""


class RunningTrials:
    """Those of one study; what has not changed is not read again."""

    def __init__(self, leases: Leases, storage: RDBStorage, study: str) -> None:
        self._leases, self._storage = leases, storage
        self._study_id = storage.get_study_id_from_name(study)
        self._known: dict[int, tuple[str, FrozenTrial]] = {}  # with its version

    def numbers(self) -> list[int]:
        """All of them."""
        query = "SELECT number FROM trials WHERE study_id = %s AND state = 'RUNNING' ORDER BY number"
        return [number for (number,) in self._leases.execute(query, (self._study_id,))]

    def is_running(self, number: int) -> bool:
        """Whether it was asked and not told."""
        query = "SELECT state = 'RUNNING' FROM trials WHERE study_id = %s AND number = %s"
        return self._leases.execute(query, (self._study_id, number)) == [(True,)]

    def besides(self, own: Collection[int]) -> list[FrozenTrial]:
        """All but those, by number."""
        found: dict[int, tuple[str, FrozenTrial]] = {}
        for number, trial_id, version in self._leases.execute(_VERSIONS, (self._study_id, list(own))):
            known = self._known.get(number)
            if known is None or known[0] != version:
                known = version, self._storage.get_trial(trial_id)
            found[number] = known
        self._known = found
        return [trial for _, trial in found.values() if trial.state == TrialState.RUNNING]
