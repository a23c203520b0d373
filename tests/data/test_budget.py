"""What threads hold together."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from archlab.data.budget import Budget


def test_threads_hold_no_more_than_there_is_and_all_come_to_their_turn() -> None:
    budget, lock, held, most = Budget(10), Lock(), [0], [0]

    def hold(amount: int) -> int:
        with budget.spent(amount):
            with lock:
                held[0] += min(amount, 10)
                most[0] = max(most[0], held[0])
            time.sleep(0.001)
            with lock:
                held[0] -= min(amount, 10)
        return amount

    amounts = [1, 4, 10, 7, 99] * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(hold, amounts)) == amounts
    assert 7 < most[0] <= 10
