"""What an operator may tune in the keeper (environment prefix `SCINTIFLOW_KEEPER_`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class KeeperSettings(BaseSettings):
    """Times are seconds, ages are days."""

    model_config = SettingsConfigDict(env_prefix="SCINTIFLOW_KEEPER_", frozen=True)

    quiet_seconds: float = Field(default=5, gt=0)
    """A study without a complete pair is decided this long after its last object, once no association touches it."""
    idle_seconds: float = Field(default=60, gt=0)
    """... or this long after its last object, although a sender keeps its association open."""
    sweep_seconds: float = Field(default=5, gt=0)
    """How often the disk is compared with the queues."""
    retention_days: float = Field(default=7, gt=0)
    """Delivered, read and declined studies keep their objects this long."""
    retention_days_open: float = Field(default=30, gt=0)
    """Incomplete and parked studies keep theirs this long."""
    probe_retention_hours: float = Field(default=1, gt=0)
    """Studies that the probe sent are forgotten so long after they came, whatever became of them."""
    result_seconds: float = Field(default=60, gt=0)
    """From the last needed object to the result at the PACS; what takes longer counts as late."""
    free_bytes_wanted: int = Field(default=4 << 30, ge=0)
    """Below this much free disk the oldest delivered studies go early."""
