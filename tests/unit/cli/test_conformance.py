"""The conformance statement is what the code does, and tells each installation's own settings."""

import os
import subprocess
from pathlib import Path

from tests.stack import CONFIGURATION, SCINTIFLOW

BARE = {name: value for name, value in os.environ.items() if not name.startswith("SCINTIFLOW_")}


def stated(config: str, **settings: str) -> str:
    """Return what `scintiflow conformance` prints."""
    command = [SCINTIFLOW, "conformance", "--config", config]
    return subprocess.run(command, env=BARE | settings, check=True, capture_output=True, text=True).stdout


def test_the_statement_in_docs_is_that_of_the_code() -> None:
    """docs/conformance.md is what `make conformance` writes."""
    assert Path("docs/conformance.md").read_text() == stated("/dev/null"), "run `make conformance`"


def test_an_installation_states_its_own_settings(tmp_path: Path) -> None:
    """Titles, port, limits and peers are those of the installation that is asked."""
    (tmp_path / "scintiflow.toml").write_text(CONFIGURATION.format(port=4242))
    page = stated(
        str(tmp_path / "scintiflow.toml"),
        SCINTIFLOW_PORT_OFFSET="7",
        SCINTIFLOW_RECEIVER_AE_TITLE="BONES",
        SCINTIFLOW_RECEIVER_LISTENERS="3",
        SCINTIFLOW_SENDER_TIMEOUT_SECONDS="11",
    )
    for line in (
        "| AE title | `BONES` |",
        "| Port | 11119 |",
        "| Associations accepted at once | 75 (3 listeners) |",
        "| `SCINTIFLOW_SENDER_TIMEOUT_SECONDS` | `30` | `11` |",
        "| may send | `PACS` | any |  |",
        "| gets results | `PACS` | 127.0.0.1:4242 | of synthetic studies: too |",
    ):
        assert line in page
