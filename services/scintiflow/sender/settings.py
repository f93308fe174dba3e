"""What an operator may tune in the sender (environment prefix `SCINTIFLOW_SENDER_`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SenderSettings(BaseSettings):
    """How a destination is called, and how patient we are with it."""

    model_config = SettingsConfigDict(env_prefix="SCINTIFLOW_SENDER_", frozen=True, use_attribute_docstrings=True)

    ae_title: str = "SCINTIFLOW"
    """As whom we call destinations."""
    timeout_seconds: float = Field(default=30, gt=0)
    """For each answer; that to a C-STORE gets more, for the bytes that have to travel first."""
    slowest_bytes_per_second: float = Field(default=1000, gt=0)
    """A line slower than this is taken for dead."""
    retry_first_seconds: float = Field(default=30, gt=0)
    """From the first failure to the next try; doubled with each."""
    retry_cap_seconds: float = Field(default=600, gt=0)
    """The longest wait between two tries."""
    give_up_days: float = Field(default=7, gt=0)
    """How long an absent destination is tried again; then a person is asked."""
