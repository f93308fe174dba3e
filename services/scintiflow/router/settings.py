"""What an operator may tune in the router (environment prefix `SCINTIFLOW_ROUTER_`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RouterSettings(BaseSettings):
    """Where findings come from, and how many studies are read at a time."""

    model_config = SettingsConfigDict(env_prefix="SCINTIFLOW_ROUTER_", frozen=True)

    classifier_url: str | None = None
    """Defaults to the classifier on this machine."""
    classifier_timeout_seconds: float = Field(default=30, gt=0)
    studies_at_once: int = Field(default=2, ge=1)
