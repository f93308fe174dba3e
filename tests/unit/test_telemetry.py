"""What a process tells the outside."""

from datetime import date
from typing import Literal

import pytest
import structlog

from scintiflow.dicom.privacy import log_names
from scintiflow.telemetry import configure_logging


def test_a_trace_does_not_quote_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    """The log of an unforeseen error says what and where, without the message, which may hold a patient's data."""
    before = structlog.get_config()
    configure_logging("router")
    try:
        date.fromisoformat("".join(("19500", "228x")))
    except ValueError:
        structlog.get_logger().exception("failed")
    finally:
        structlog.configure(**before)
    told = capsys.readouterr().err
    assert "19500228" not in told
    assert "test_telemetry.py" in told
    assert told.rstrip().endswith("ValueError")


@pytest.mark.parametrize(("form", "shown"), [("json", True), ("text", False)])
def test_lines_for_machines_name_the_trace(
    form: Literal["text", "json"], shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON lines hold the trace of their study beside its short reference; a person reads that alone."""
    before = structlog.get_config()
    configure_logging("router", form)
    structlog.get_logger().info("read", **log_names(b"salt", "folder"))
    structlog.configure(**before)
    told = capsys.readouterr().err
    assert log_names(b"salt", "folder")["study"] in told
    assert (log_names(b"salt", "folder")["trace_id"] in told) == shown
