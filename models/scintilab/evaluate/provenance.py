"""What an evaluation belongs to: these weights on this engine, and patients of these priors."""

from dataclasses import dataclass

from scintilab.evaluate.answers import Reader
from scintilab.phantom.priors import digest, priors


@dataclass(frozen=True)
class Priors:
    """The file of the phantom's priors: frozen before the sites that judge were simulated."""

    version: int
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """Which model read, and how; without `priors` the patients were not simulated."""

    model: str
    version: str
    digest: str
    engine: str
    precision: str
    priors: Priors | None


def provenance(reader: Reader, *, simulated: bool) -> Provenance:
    """Say what reads, and of which priors its patients are."""
    manifest, facts = reader.manifest, reader.engine.describe()
    return Provenance(
        manifest.name,
        manifest.version,
        manifest.digest,
        facts.engine,
        facts.precision,
        frozen_priors() if simulated else None,
    )


def frozen_priors() -> Priors:
    """Read version and digest of `scintilab/phantom/priors.toml`."""
    return Priors(priors()["version"], digest())
