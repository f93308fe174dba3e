"""What an operator may tune in the probe (environment prefix `SCINTIFLOW_PROBE_`).

How often it goes round, and where the line reaches it, is the whole installation's to know: `config.Deployment`.
"""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from scintiflow.config import AETitle


class ProbeSettings(BaseSettings):
    """Whom it sends to, where results come back, and how long it waits for them."""

    model_config = SettingsConfigDict(env_prefix="SCINTIFLOW_PROBE_", frozen=True)

    receiver: str = "127.0.0.1"
    """The receiver's address."""
    called: AETitle = "SCINTIFLOW"
    """The receiver's AE title."""
    listen: str = "127.0.0.1"
    """The address where results are taken, from whoever brings them."""
    patience_seconds: float = Field(default=60, gt=0)
    """From sending a scan to the report on it; what takes longer counts as late."""
