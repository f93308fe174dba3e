"""What the receiver answers: every DICOM code it ever sends, each under its meaning."""

import struct
from typing import Literal

Outcome = Literal["stored", "again", "mismatch", "unreadable", "no_room", "too_much", "internal"]
"""What became of one object; also the label of the metric."""

STATUS: dict[Outcome, int] = {
    "stored": 0x0000,  # durable on disk
    "again": 0x0000,  # the same bytes were durable already
    "mismatch": 0xA900,  # the data set is of another SOP class or instance than the command says
    "unreadable": 0xC000,  # cannot be understood; nothing is kept
    "no_room": 0xA700,  # the disk is full, or failed: worth another try
    "too_much": 0xA700,  # so much waits that no new study is begun: worth another try
    "internal": 0x0110,
}
"""C-STORE status (DICOM PS3.4 table B.2-1, PS3.7 annex C)."""

Rejection = Literal["rejected_calling", "rejected_called", "rejected_context", "rejected_limit", "rejected_backlog"]
"""Why an association was not accepted; also the label of the metric."""

REJECTION: dict[Rejection, tuple[int, int, int]] = {
    "rejected_calling": (1, 1, 3),  # nobody in the allowlist
    "rejected_called": (1, 1, 7),  # not our AE title
    "rejected_context": (1, 1, 2),  # an application context that is not DICOM's
    "rejected_limit": (2, 3, 1),  # for the moment there are too many: temporary congestion
    "rejected_backlog": (2, 3, 1),  # too much waits: the same
}
"""Result, source and reason of A-ASSOCIATE-RJ (DICOM PS3.8 table 9-21)."""

A_ABORT = bytes((7, 0, 0, 0, 0, 4, 0, 0, 2, 6))
"""Aborted by the service provider: invalid parameter value (DICOM PS3.8 table 9-26)."""


def a_associate_rj(why: Rejection) -> bytes:
    """Return the PDU (DICOM PS3.8 9.3.4)."""
    return struct.pack(">BxLxBBB", 3, 4, *REJECTION[why])
