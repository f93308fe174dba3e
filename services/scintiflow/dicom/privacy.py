"""What a log line or a screen may say about a study: a name that leads an operator to it, and nobody to the patient."""

_NAME_LENGTH = 12


def log_name(folder: str) -> str:
    """Return the short name of a study for logs: the first 12 hex digits of its folder (`identity.study_folder`).

    The folder is a digest of the Study Instance UID, so the name tells nothing by itself; with the folder at hand
    (`ls DATA/studies/<name>*`) it finds the study.
    """
    return folder[:_NAME_LENGTH]
