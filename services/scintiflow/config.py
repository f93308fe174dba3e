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
}
"""Every port we may listen on; `dicom` is the receiver's C-STORE port, the rest speak HTTP."""

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
        return {name: self.port(name) for name in PORTS if name != "synthesizer" or self.synthesizes}

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

    def takes(self, *, synthetic: bool) -> bool:
        """Tell whether this destination wants results of a study that is (or is not) marked synthetic."""
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

    def destinations_for(self, model: str, kind: str, *, synthetic: bool) -> tuple[str, ...]:
        """Return the names of the destinations that get a result of `kind` by `model`."""
        return tuple(
            destination.name
            for destination in self.destinations
            if destination.takes(synthetic=synthetic) and self._routed(destination.name, model, kind)
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
