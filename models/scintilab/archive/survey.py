"""A walk through a whole archive before anything learns from it: what is there, what is not read, what is wrong."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from rich.progress import track

from scintiflow.errors import Declined, Refused
from scintilab.archive import THREADS, Archive, Excluded, Study
from scintilab.archive.faults import require_none


class Seen(NamedTuple):
    """What is kept of a scan that was read."""

    study: Study
    digests: tuple[str, ...]
    """Of the canvas of each view that is there."""
    counts: float
    """Mean of a pixel of the views that are there."""

    @property
    def complete(self) -> bool:
        """Both views are there."""
        return len(self.digests) == 2


@dataclass(frozen=True)
class Survey:
    """What a walk found."""

    seen: tuple[Seen, ...]
    excluded: tuple[Excluded, ...]
    faults: tuple[str, ...]

    def archive(self) -> Archive:
        """Return the studies that can be read.

        Raises:
            Refused: there are faults; one line for each.
        """
        require_none(self.faults)
        return Archive(tuple(each.study for each in self.seen), self.excluded)


def survey(archive: Archive) -> Survey:
    """Read every scan once, and keep none.

    Raises:
        Unavailable: no decoder could be started.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        looks = list(track(pool.map(_look, archive.studies), "Reading scans", total=len(archive.studies)))
    seen = tuple(look for look in looks if isinstance(look, Seen))
    excluded = tuple(look for look in looks if isinstance(look, Excluded))
    faults = tuple(look for look in looks if isinstance(look, str))
    return Survey(seen, archive.excluded + excluded, faults + _same_scans(seen))


def _look(study: Study) -> Seen | Excluded | str:
    try:
        scan = study.source.read()
    except Declined as declined:
        return Excluded(study, str(declined))
    except Refused as refused:
        return f"{study.name}: {refused}"
    views = scan.canvas[scan.present > 0]
    return Seen(study, tuple(hashlib.sha256(view.tobytes()).hexdigest() for view in views), float(views.mean()))


def _same_scans(seen: tuple[Seen, ...]) -> tuple[str, ...]:
    """Say which scans stand under two patients: one that is learnt from and judged by judges nothing."""
    first: dict[str, Study] = {}
    faults = []
    for study, digests, _ in seen:
        for digest in digests:
            earlier = first.setdefault(digest, study)
            if earlier.patient != study.patient:
                faults.append(
                    f"{study.name} and {earlier.name} hold the same pixels, under two patients: "
                    "find out whose they are, and take the other line away."
                )
    return tuple(dict.fromkeys(faults))
