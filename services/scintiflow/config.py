"""What an administrator configures: addresses in the environment, rules in `scintiflow.toml`."""

import hashlib
import os
import tempfile
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from scintiflow.errors import Refused

PORTS = {
    "dicom": 11112,
    "classifier": 3000,
    "synthesizer": 3001,
    "receiver": 9101,
    "router": 9102,
    "sender": 9103,
    "keeper": 9104,
    "probe": 9105,
    "probe_dicom": 11113,
}
"""Every port we may listen on; those of DICOM take C-STORE, the receiver's and the probe's; the rest speak HTTP."""

DICOM_PORTS = frozenset({"dicom", "probe_dicom"})

PROBE_TITLE = "SCINTIFLOW_PROBE"
"""The AE title under which the probe sends, and gets its results."""

_LONGEST_SOCKET_PATH = 107

AETitle = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")
]
"""DICOM PS3.5 table 6.2-1, AE: 1 to 16 printable characters without the backslash."""

DestinationName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
ResultKind = Literal["report", "picture"]


class Deployment(BaseSettings):
    """What all processes of one installation share (environment prefix `SCINTIFLOW_`)."""

    model_config = SettingsConfigDict(env_prefix="SCINTIFLOW_", frozen=True)

    data: Path = Path("var")
    config: Path = Path("scintiflow.toml")
    redis_url: str | None = None
    port_offset: int = Field(default=0, ge=0, le=50_000)
    models: Path = Path("models")
    log_format: Literal["text", "json"] = "text"
    otlp_endpoint: str | None = Field(
        default=None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Where spans go, if anywhere. These and the exporter's other variables are OpenTelemetry's own."""
    probe_interval_seconds: float | None = Field(default=None, gt=0)
    """How often the probe sends a scan round the line; where nobody says so, there is no probe."""
    probe_host: str = "127.0.0.1"
    """Where the sender reaches the probe, and where it sends from; where that differs, an [[allow]] table says so."""

    @property
    def engines(self) -> Path:
        """The folder where engines keep what they build; it can be emptied at any time."""
        return self.data / "engines"

    def port(self, name: str) -> int:
        """Return the port of `name` (a key of PORTS), moved by the port offset."""
        return PORTS[name] + self.port_offset

    @property
    def synthesizes(self) -> bool:
        """Whether the synthesizer runs: where there is a generator among the models."""
        return (self.models / "generator" / "manifest.toml").exists()

    @property
    def ports(self) -> dict[str, int]:
        """Every port that this installation listens on, by the names of PORTS."""
        left_out = set() if self.synthesizes else {"synthesizer"}
        if self.probe_interval_seconds is None:
            left_out |= {"probe", "probe_dicom"}
        return {name: self.port(name) for name in PORTS if name not in left_out}

    @property
    def http_ports(self) -> dict[str, int]:
        """Those of them where a process tells how it is."""
        return {name: port for name, port in self.ports.items() if name not in DICOM_PORTS}

    def rules(self) -> "Configuration":
        """Read `scintiflow.toml`, and let the probe in and have its results, where there is one.

        Raises:
            Refused: the file breaks a rule.
        """
        rules = read_configuration(self.config)
        if self.probe_interval_seconds is None:
            return rules
        return rules.with_probe(self.probe_host, self.port("probe_dicom"))

    def redis(self) -> str:
        """Return the URL of Redis: the configured one, else the socket of the server that `up` embeds for DATA."""
        return self.redis_url or f"unix://{quote(str(embedded_socket(self.data)))}"


def embedded_socket(data: Path) -> Path:
    """Return the socket of the embedded Redis for DATA; short, because the kernel cuts paths at 107 bytes."""
    inside = data.resolve() / "redis" / "redis.sock"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
        return inside
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"scintiflow-{os.getuid()}-{name}" / "redis.sock"


class Allowed(BaseModel):
    """One application entity that may send to us."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ae_title: AETitle
    host: str | None = None


class Destination(BaseModel):
    """One application entity that gets results."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: DestinationName
    ae_title: AETitle
    host: str
    port: int = Field(ge=1, le=65535)
    synthetic: Literal["no", "too", "only"] = "no"
    probe: bool = False
    """It is the probe, who gets the results of its own scans, of which nobody else gets any."""

    def takes(self, *, synthetic: bool, probe: bool = False) -> bool:
        """Tell whether this destination wants results of a study that is (or is not) marked synthetic, or a probe's."""
        if probe or self.probe:
            return probe and self.probe
        return self.synthetic != "no" if synthetic else self.synthetic != "only"


class Route(BaseModel):
    """Narrows what one destination gets; a destination without a route gets everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    destination: str
    models: tuple[str, ...] | None = None
    kinds: tuple[ResultKind, ...] | None = None

    def lets_through(self, model: str, kind: str) -> bool:
        """Tell whether a result of `kind` by `model` passes."""
        return (self.models is None or model in self.models) and (self.kinds is None or kind in self.kinds)


class ModelRule(BaseModel):
    """What happens with one model's findings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["report", "shadow", "off"] = "report"


class Configuration(BaseModel):
    """The whole of `scintiflow.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: tuple[Allowed, ...] = ()
    destinations: tuple[Destination, ...] = ()
    routes: tuple[Route, ...] = ()
    models: dict[str, ModelRule] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_agree(self) -> "Configuration":
        names = [destination.name for destination in self.destinations]
        for name in {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two destinations are called {name!r}; give each its own name")
        for route in self.routes:
            if route.destination not in names:
                raise ValueError(
                    f"a route names the destination {route.destination!r}, which is not in [[destinations]]"
                )
        return self

    @cached_property
    def destination(self) -> dict[str, Destination]:
        """Destinations by name."""
        return {destination.name: destination for destination in self.destinations}

    def mode(self, model: str) -> Literal["report", "shadow", "off"]:
        """Return what to do with findings of `model`; a model that is not mentioned reports."""
        return self.models.get(model, ModelRule()).mode

    def with_probe(self, host: str, port: int) -> "Configuration":
        """Return these rules and those for a probe whose results are taken at `host`:`port`.

        Raises:
            Refused: another destination has its name.
        """
        if "probe" in self.destination:
            raise Refused("A destination is called 'probe', as the probe's own is; give it another name.")
        allowed = Allowed(ae_title=PROBE_TITLE, host=host)
        destination = Destination(name="probe", ae_title=PROBE_TITLE, host=host, port=port, probe=True)
        together = {"allow": (*self.allow, allowed), "destinations": (*self.destinations, destination)}
        return Configuration(**{name: getattr(self, name) for name in Configuration.model_fields} | together)

    def destinations_for(self, model: str, kind: str, *, synthetic: bool, probe: bool = False) -> tuple[str, ...]:
        """Return the names of the destinations that get a result of `kind` by `model`."""
        return tuple(
            destination.name
            for destination in self.destinations
            if destination.takes(synthetic=synthetic, probe=probe) and self._routed(destination.name, model, kind)
        )

    def _routed(self, destination: str, model: str, kind: str) -> bool:
        routes = [route for route in self.routes if route.destination == destination]
        return not routes or any(route.lets_through(model, kind) for route in routes)


def read_configuration(path: Path) -> Configuration:
    """Read and validate `scintiflow.toml`; a missing file allows nobody and sends nowhere.

    Raises:
        Refused: the file is not TOML or breaks a rule; one line a fault, each naming its place.
    """
    if not path.exists():
        return Configuration()
    try:
        return Configuration.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise Refused("\n".join(_fault(path, fault["loc"], fault["msg"]) for fault in error.errors())) from error


def _fault(path: Path, place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in place)
    return f"{path}: {where + ': ' if where else ''}{message.removeprefix('Value error, ')}"
