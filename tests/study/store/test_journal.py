from pathlib import Path

import pytest
from optuna.trial import TrialState

from archlab.errors import BadInput
from archlab.study.folder import StudyFolder
from archlab.study.store import Store
from tests.study.store.contract import Opener, StoreContract, holder


class TestJournal(StoreContract):
    @pytest.fixture
    def url(self) -> None:
        return None

    def forget(self, store: Store, folder: StudyFolder) -> None:
        folder.journal.unlink()

    def assert_made_again(self, again: list[tuple[object, ...]], before: list[tuple[object, ...]]) -> None:
        assert (again[0], again[2]) == (before[0], before[2])
        assert again[1] == (1, TrialState.FAIL, None, {}, {})

    def test_a_second_driver_is_refused_and_told_of_the_database(
        self, open_here: Opener, folder: StudyFolder, tmp_path: Path
    ) -> None:
        with holder(tmp_path, folder, None), pytest.raises(BadInput, match=r"in use by another.*--storage postgresql"):
            open_here()
        open_here()
