"""How much of something threads may hold together."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Budget:
    """So much may be held at a time; who needs more than all of it waits until nobody else holds any."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._changed = Condition()

    @contextmanager
    def spent(self, amount: int) -> Iterator[None]:
        """Wait until there is so much, and give it back when the block ends."""
        amount = min(amount, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()
