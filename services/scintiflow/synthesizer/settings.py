"""What an operator may tune in the synthesizer (environment prefix `SCINTIFLOW_SYNTHESIZER_`)."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from scintiflow.inference.settings import EngineSettings


class SynthesizerSettings(EngineSettings):
    """Where it listens, what runs the generator, how much may wait, and how much of the disk it may take."""

    model_config = SettingsConfigDict(env_prefix="SCINTIFLOW_SYNTHESIZER_", frozen=True)

    host: str = "127.0.0.1"
    """The service knows no users: open it to a network that you trust, with 0.0.0.0."""
    threads: int = Field(default=2, ge=1)
    """In each lane, that draw counts and make files while the engine works on the next scans."""
    maximum_waiting: int = Field(default=256, ge=64)
    """Scans that somebody may wait for; beyond it requests are put off."""
    deadline_seconds: float = Field(default=150, gt=0, lt=180)
    """How long a request for scans at once may take."""
    maximum_batches: int = Field(default=64, ge=1)
    """That may be unfinished, whichever replica took them on; beyond it new ones are put off."""
    shard: int = Field(default=32, ge=1)
    """Scans in one file on the disk: what a crash may cost."""
    drain_seconds: float = Field(default=20, ge=0)
    """How long a stop waits for the shards that are being made; what is not finished by then is made anew."""
    maximum_batch_bytes: int = Field(default=64 << 30, ge=1 << 20)
    """What one batch may take of the disk."""
    minimum_free_bytes: int = Field(default=6 << 30, ge=0)
    """What batches leave free: more than the keeper and the receiver want for the studies of patients."""
    keep_days: float = Field(default=7, gt=0)
    """How long a batch stays after its end; the same request makes the same scans again."""
