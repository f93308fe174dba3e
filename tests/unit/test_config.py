"""scintiflow.toml and the shared environment."""

from pathlib import Path

import pytest

from scintiflow.config import (
    PORTS,
    PROBE_TITLE,
    Allowed,
    Configuration,
    Deployment,
    embedded_socket,
    read_configuration,
)
from scintiflow.errors import Refused

TOML = """
[[allow]]
ae_title = "PACS"

[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 104

[[destinations]]
name = "research"
ae_title = "RESEARCH"
host = "127.0.0.1"
port = 105
synthetic = "too"

[[destinations]]
name = "probe"
ae_title = "PROBE"
host = "127.0.0.1"
port = 106
synthetic = "only"

[[routes]]
destination = "research"
models = ["metastasis"]
kinds = ["report"]

[models.cardiac]
mode = "shadow"
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    """The example above, read from a file."""
    (tmp_path / "scintiflow.toml").write_text(TOML)
    return read_configuration(tmp_path / "scintiflow.toml")


def test_without_a_file_nobody_may_send_and_nothing_is_sent(tmp_path: Path) -> None:
    """A fresh installation is closed."""
    configuration = read_configuration(tmp_path / "scintiflow.toml")
    assert configuration.allow == configuration.destinations == ()


def test_results_go_everywhere_unless_a_route_says_otherwise(configuration: Configuration) -> None:
    """A destination without a route takes every model and kind; one with a route takes what it names."""
    assert configuration.destinations_for("metastasis", "report", synthetic=False) == ("pacs", "research")
    assert configuration.destinations_for("metastasis", "picture", synthetic=False) == ("pacs",)
    assert configuration.destinations_for("cardiac", "report", synthetic=False) == ("pacs",)


def test_synthetic_studies_reach_only_destinations_that_ask_for_them(configuration: Configuration) -> None:
    """A clinical destination never gets a result of a study marked Synthetic Data = YES."""
    assert configuration.destinations_for("metastasis", "report", synthetic=True) == ("research", "probe")


def test_a_model_that_is_not_mentioned_reports(configuration: Configuration) -> None:
    """Models report by default and may be put in the shadow."""
    assert configuration.mode("metastasis") == "report"
    assert configuration.mode("cardiac") == "shadow"


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[[allow]]\nae_title = 'TOO LONG FOR AN AE TITLE'", "allow.1.ae_title"),
        ("[[allow]]\nae_title = 'A\\\\B'", "allow.1.ae_title"),
        ("[[destinations]]\nname = 'a'\nae_title = 'A'\nhost = 'h'\nport = 0", "destinations.1.port"),
        ("[[routes]]\ndestination = 'nowhere'", "a route names the destination 'nowhere'"),
        ("[models.metastasis]\nmode = 'loud'", "models.metastasis.mode"),
        ("[[allowed]]\nae_title = 'PACS'", "allowed: Extra inputs"),
        ("allow = ", "is not valid TOML"),
        (
            2 * "[[destinations]]\nname = 'a'\nae_title = 'A'\nhost = 'h'\nport = 104\n",
            "two destinations are called 'a'",
        ),
        ("[[destinations]]\nname = '../up'\nae_title = 'A'\nhost = 'h'\nport = 104", "destinations.1.name"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, toml: str, sentence: str) -> None:
    """Each mistake in the file is named by file, table and rule."""
    path = tmp_path / "scintiflow.toml"
    path.write_text(toml)
    with pytest.raises(Refused) as refused:
        read_configuration(path)
    assert sentence in str(refused.value)
    assert str(path) in str(refused.value)


def test_the_port_offset_moves_every_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stacks run side by side with different offsets."""
    monkeypatch.setenv("SCINTIFLOW_PORT_OFFSET", "1000")
    assert (Deployment().port("dicom"), Deployment().port("classifier")) == (12112, 4000)


def test_the_synthesizer_listens_where_there_is_a_generator(tmp_path: Path) -> None:
    """Without a generator among the models nobody waits for the synthesizer's port, and nobody else's is missing."""
    without = Deployment(models=tmp_path, port_offset=1000)
    assert without.ports.keys() == PORTS.keys() - {"synthesizer", "probe", "probe_dicom"}
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "manifest.toml").touch()
    assert Deployment(models=tmp_path, port_offset=1000).ports == without.ports | {"synthesizer": 4001}


@pytest.fixture
def probed(tmp_path: Path) -> Configuration:
    """The example above, with a probe."""
    (tmp_path / "scintiflow.toml").write_text(TOML.replace('"probe"', '"phantoms"'))
    return Deployment(config=tmp_path / "scintiflow.toml", probe_interval_seconds=60, port_offset=10).rules()


def test_a_probe_is_let_in_and_listened_for(probed: Configuration, configuration: Configuration) -> None:
    """Where an interval is configured, the probe may send from this machine, and its results go to its own port."""
    assert probed.allow == (*configuration.allow, Allowed(ae_title=PROBE_TITLE, host="127.0.0.1"))
    assert probed.destination["probe"].port == PORTS["probe_dicom"] + 10
    assert {"probe", "probe_dicom"} <= Deployment(probe_interval_seconds=60).ports.keys()


@pytest.mark.parametrize("synthetic", [True, False])
def test_results_of_the_probe_are_its_own(probed: Configuration, synthetic: bool) -> None:
    """They go to no other destination, whatever that takes, and the probe gets nobody else's."""
    assert probed.destinations_for("metastasis", "report", synthetic=True, probe=True) == ("probe",)
    assert "probe" not in probed.destinations_for("metastasis", "report", synthetic=synthetic)


def test_the_name_of_the_probe_is_taken(tmp_path: Path) -> None:
    """A destination of the same name is refused with what to do."""
    (tmp_path / "scintiflow.toml").write_text(TOML)
    with pytest.raises(Refused, match="another name"):
        Deployment(config=tmp_path / "scintiflow.toml", probe_interval_seconds=60).rules()


def test_the_embedded_socket_fits_into_the_kernels_limit(tmp_path: Path) -> None:
    """However deep DATA lies, the socket's path is short, and the same for every process."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    assert len(str(embedded_socket(deep))) <= 107
    assert embedded_socket(deep) == embedded_socket(deep)
    assert embedded_socket(deep) != embedded_socket(tmp_path / ("d" * 100) / ("f" * 100))
    assert embedded_socket(Path("/data")) == Path("/data/redis/redis.sock")
