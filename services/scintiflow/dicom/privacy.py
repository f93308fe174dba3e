"""What a log line, a trace or a screen may say about a study: its operator finds it by that, and nobody the patient."""

import hmac
from hashlib import sha256

_NAME_LENGTH = 12
_REFERENCE_LENGTH = 32


def log_name(folder: str) -> str:
    """Return the short name of a study for its operator's screen: the first 12 hex digits of its folder.

    The folder is a digest of the Study Instance UID (`identity.study_folder`); with the folder at hand
    (`ls DATA/studies/<name>*`) the name finds the study.
    """
    return folder[:_NAME_LENGTH]


def reference(salt: bytes, folder: str) -> str:
    """Return what logs and traces call a study, as 32 hex digits; it is also the id of the study's trace.

    Both leave the machine. Without the installation's salt nobody can tell whether a UID that they know is among them.
    """
    return hmac.digest(salt, folder.encode(), sha256).hex()[:_REFERENCE_LENGTH]


def log_names(salt: bytes, folder: str) -> dict[str, str]:
    """Return what a log line says of a study: a short reference, which `scintiflow studies` finds, and its trace."""
    trace = reference(salt, folder)
    return {"study": trace[:_NAME_LENGTH], "trace_id": trace}
