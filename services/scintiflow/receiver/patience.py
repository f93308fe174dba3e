"""How long a peer may keep us waiting in the middle of something."""


class Patience:
    """A floor under the byte rate: at least `floor` bytes in every `window` seconds that we spend waiting.

    Only waiting counts: while our own disk or interpreter is busy the peer's bytes queue up in the kernel.
    """

    def __init__(self, floor: int, window: float) -> None:
        self.window = window
        """Seconds."""
        self._floor = floor
        self._heard = 0
        self._waited = 0.0

    @property
    def left(self) -> float:
        """Seconds to wait for before judging again."""
        return self.window - self._waited

    def rest(self) -> None:
        """Begin anew: nothing is unfinished, the peer may be silent."""
        self._heard, self._waited = 0, 0.0

    def heard(self, count: int) -> None:
        """Count bytes."""
        self._heard += count

    def bears(self, seconds: float) -> bool:
        """Count time spent waiting; tell whether enough came, or the window is not over."""
        self._waited += seconds
        if self.left > 0:
            return True
        enough = self._heard >= self._floor
        self.rest()
        return enough
