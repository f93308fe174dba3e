"""NM faults of our own making, each with what must come of it: built when a test runs, nothing of it is a file."""

from tests.corpus import pixels, scans, structure, uids, words
from tests.corpus.fault import Fault

CORPUS: dict[str, Fault] = {
    f"{kind}: {name}": fault
    for kind, faults in (
        ("structure", structure.FAULTS),
        ("UID", uids.FAULTS),
        ("pixels", pixels.FAULTS),
        ("scan", scans.FAULTS),
        ("words", words.FAULTS),
    )
    for name, fault in faults.items()
}
