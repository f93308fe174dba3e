"""How many are here now, in all and from each address."""

import threading
from collections import Counter


class Headcount:
    """Lets in `most` in all and `most_per_address` from one address at the same time; safe among threads."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._here: Counter[str] = Counter()
        self._changed = threading.Condition()

    def here(self) -> int:
        """Return how many there are."""
        with self._changed:
            return self._here.total()

    def enter(self, address: str) -> bool:
        """Count one more if there is room; tell whether there was."""
        with self._changed:
            if self._here.total() >= self._most or self._here.get(address, 0) >= self._most_per_address:
                return False
            self._here[address] += 1
            return True

    def leave(self, address: str) -> None:
        """Count one less."""
        with self._changed:
            self._here[address] -= 1
            if not self._here[address]:
                del self._here[address]
            self._changed.notify_all()

    def wait_until_empty(self, seconds: float) -> int:
        """Wait until nobody is here, `seconds` at most; return how many still are."""
        with self._changed:
            self._changed.wait_for(lambda: not self._here.total(), seconds)
            return self._here.total()
