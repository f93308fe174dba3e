"""What an operator may tune in the classifier (environment prefix `SCINTIFLOW_CLASSIFIER_`)."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from scintiflow.inference.settings import EngineSettings


class ClassifierSettings(EngineSettings):
    """Where it listens, what runs the models, and how much may wait."""

    model_config = SettingsConfigDict(env_prefix="SCINTIFLOW_CLASSIFIER_", frozen=True)

    host: str = "127.0.0.1"
    """The service knows no users: open it to a network that you trust, with 0.0.0.0."""
    maximum_rows: int | None = Field(default=None, ge=1)
    """Scans in one batch; else one on a CPU, which answers eight in eight times the time of one (in the mode for
    throughput one a core), and 16 on a GPU."""
    maximum_delay_seconds: float = Field(default=0, ge=0)
    """How long a batch waits for company."""
    maximum_waiting: int = Field(default=256, ge=1)
    """Scans that may wait for one model, and be sent at the same moment, 1 MiB each."""
    deadline_seconds: float = Field(default=25, gt=0, lt=60)
    """Below the router's own patience, so that it hears why."""
    sending_seconds: float = Field(default=25, gt=0)
    """How long a client may take to send a request, before its deadline begins."""
    maximum_body_bytes: int = Field(default=64 << 20, ge=1 << 20)
