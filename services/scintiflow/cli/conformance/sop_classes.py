"""The SOP classes and transfer syntaxes that are negotiated, from the lists that negotiate them."""

from collections.abc import Iterable

from pydicom.uid import UID
from pynetdicom import sop_class
from pynetdicom.sop_class import Verification

from scintiflow.cli.conformance.table import table
from scintiflow.receiver.listener import presentation_contexts

_KEYWORDS: dict[str, str] = {str(uid): keyword for keyword, uid in vars(sop_class).items() if isinstance(uid, UID)}


def storage_classes() -> tuple[UID, ...]:
    """Return every storage class that the receiver accepts, by its number."""
    accepted = {UID(context.abstract_syntax) for context in presentation_contexts()} - {Verification}
    return tuple(sorted(accepted, key=lambda uid: [int(part) for part in uid.split(".")]))


def named(uid: str) -> str:
    """Return what DICOM calls a UID; of a class newer than pydicom's dictionary the keyword."""
    known = UID(uid)
    if known.name == uid:
        return _KEYWORDS[uid]
    return f"{known.name} (retired)" if known.is_retired else str(known.name)


def uids(them: Iterable[str]) -> str:
    """Return a table of names and UIDs."""
    return table(("Name", "UID"), ((named(uid), f"`{uid}`") for uid in them))
