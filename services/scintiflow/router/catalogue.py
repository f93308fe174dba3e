"""What the classifier serves, known for a while, so that a study costs one question a model."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import httpx

from scintiflow.errors import ScintiflowError
from scintiflow.router.classify import Model, ready_models

_FRESH_SECONDS = 5.0


class _Known(NamedTuple):
    models: Sequence[Model]
    until: float


class Catalogue:
    """Asks for the models again after some seconds, and as soon as anything they are asked goes wrong.

    Nothing depends on its being fresh: an answer names the digest of the model that gave it, and `find` takes no other.
    """

    def __init__(self) -> None:
        self._known = _Known((), 0.0)

    @contextmanager
    def models(self, classifier: httpx.Client, wanted: Callable[[str], bool]) -> Iterator[Sequence[Model]]:
        """Yield the wanted models, ordered by name; what the block raises lets them be asked for anew.

        Raises:
            Unavailable: the classifier does not answer, or a wanted model is not ready.
        """
        known = self._known
        if time.monotonic() >= known.until:
            known = self._known = _Known(ready_models(classifier, wanted), time.monotonic() + _FRESH_SECONDS)
        try:
            yield known.models
        except ScintiflowError:
            self._known = _Known((), 0.0)
            raise
