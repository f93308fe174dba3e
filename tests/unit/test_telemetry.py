"""What a process tells the outside."""

from datetime import date

import pytest
import structlog

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
