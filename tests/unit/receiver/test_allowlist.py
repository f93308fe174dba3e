"""Who may send, and what an administrator reads when somebody may not."""

import tomllib

import pytest

from scintiflow.config import PROBE_TITLE, Allowed, Configuration
from scintiflow.receiver.allowlist import allows, lines_to_add, who_may_send


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        (Allowed(ae_title="PACS"), True),
        (Allowed(ae_title="PACS", host="127.0.0.1"), True),
        (Allowed(ae_title="PACS", host="localhost"), True),
        (Allowed(ae_title="PACS", host="10.0.0.1"), False),
        (Allowed(ae_title="PACS", host="no-such-host.invalid"), False),
        (Allowed(ae_title="PACS", host="no..host"), False),
        (Allowed(ae_title="pacs"), False),
        (Allowed(ae_title="OTHER"), False),
    ],
)
def test_title_and_host_decide(entry: Allowed, allowed: bool) -> None:
    """A title must be listed as it is written, and come from its host where one is given."""
    assert allows([entry], "PACS", "127.0.0.1") is allowed


def test_nobody_borrows_the_title_of_the_probe() -> None:
    """The probe is let in from where its host's name leads, and a stranger under its title from nowhere else."""
    allowed = Configuration().with_probe("localhost", 11113).allow
    assert allows(allowed, PROBE_TITLE, "127.0.0.1")
    assert not allows(allowed, PROBE_TITLE, "10.0.0.6")


@pytest.mark.parametrize("title", ["PACS", 'A "B" C', "#]["])
def test_the_lines_to_add_let_the_sender_in(title: str) -> None:
    """Pasted into scintiflow.toml, the logged lines are valid and admit exactly this sender."""
    text = "\n".join(lines_to_add(title, "10.0.0.5"))
    configuration = Configuration.model_validate(tomllib.loads(text))
    assert allows(configuration.allow, title, "10.0.0.5")
    assert not allows(configuration.allow, title, "10.0.0.6")


def test_control_characters_are_escaped() -> None:
    """Whatever stands in a title, the logged lines are printable."""
    assert all(line.isprintable() for line in lines_to_add("\x1b[31mRED\n", "10.0.0.5"))


def test_an_empty_list_says_what_to_do() -> None:
    """Where nobody may send, the start-up line says what to add."""
    assert "[[allow]]" in who_may_send(())
