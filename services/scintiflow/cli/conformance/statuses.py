"""What we answer, and what we make of answers: the tables that the code answers from, with their meanings."""

from scintiflow.cli.conformance.table import table
from scintiflow.receiver.status import REJECTION, STATUS, Outcome, Rejection
from scintiflow.sender.status import DUPLICATE, OUT_OF_RESOURCES, SUCCESS, WARNINGS
from scintiflow.stream import DELIVERIES_BEFORE_PARKING

_OUTCOMES: dict[Outcome, str] = {
    "stored": "The object is durable on disk: written, synced, renamed, its folder synced.",
    "again": "The same bytes were durable already.",
    "mismatch": "The data set is of another SOP class or instance than its command. Nothing is kept.",
    "unreadable": "The data set is broken, or its identifiers are no UIDs; the comment says how. Nothing is kept.",
    "no_room": "There is too little room on the disk, or the disk failed. To be sent again later.",
    "too_much": "Too much work waits, and the study is new. To be sent again later.",
    "internal": "An error of ours; the log says more. Nothing is kept.",
}
_REJECTIONS: dict[Rejection, str] = {
    "rejected_calling": "Calling AE title not recognised: it is in no [[allow]] table, or calls from another address.",
    "rejected_called": "Called AE title not recognised.",
    "rejected_context": "Application context name not supported.",
    "rejected_limit": "Temporary congestion: as many associations are open as may be.",
    "rejected_backlog": "Temporary congestion: too much work waits.",
}


def returned_statuses() -> str:
    """Return the table of C-STORE statuses that the receiver answers."""
    rows = ((outcome, f"{STATUS[outcome]:04X}", _OUTCOMES[outcome]) for outcome in STATUS)
    return table(("Outcome", "Status", "Meaning"), rows)


def rejections() -> str:
    """Return the table of reasons for which the receiver rejects an association."""
    rows = ((*REJECTION[why], _REJECTIONS[why]) for why in REJECTION)
    return table(("Result", "Source", "Reason", "When"), rows)


def understood_statuses() -> str:
    """Return the table of what the sender makes of a destination's C-STORE status."""
    once = sorted(WARNINGS - set(range(0xB000, 0xC000)))
    warnings = ", ".join([*(f"{status:04X}" for status in once), "B000-BFFF"])
    rows = (
        (f"{SUCCESS:04X}", "Success", "The result counts as delivered."),
        (warnings, "Warning", "The destination has the result: it counts as delivered."),
        (f"{DUPLICATE:04X}", "Duplicate SOP instance", "An earlier answer was lost: it counts as delivered."),
        (
            f"{OUT_OF_RESOURCES.start:04X}-{OUT_OF_RESOURCES.stop - 1:04X}",
            "Out of resources",
            "Sent again later, as to a destination that is away.",
        ),
        ("any other", "Failure", f"Tried again; after {DELIVERIES_BEFORE_PARKING} failures the result is parked."),
        ("none", "Association broken off, or no answer in time", "Sent again later."),
    )
    return table(("Status", "Meaning", "What we do"), rows)
