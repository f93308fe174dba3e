"""The receiver's settings, from the environment (prefix `SCINTIFLOW_RECEIVER_`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from scintiflow.config import AETitle


class Settings(BaseSettings):
    """How the DICOM port is served; the defaults suit one hospital on one machine."""

    model_config = SettingsConfigDict(env_prefix="SCINTIFLOW_RECEIVER_", frozen=True, use_attribute_docstrings=True)

    ae_title: AETitle = "SCINTIFLOW"
    """Whom a sender has to call."""
    host: str = ""
    """Address to listen on; empty means every one."""
    listeners: int = Field(default=2, ge=1, le=32)
    """Processes that share the port: one interpreter lock each."""
    maximum_associations: int = Field(default=25, ge=1)
    """At once, per listener; beyond it senders are put off for the moment."""
    maximum_associations_per_address: int = Field(default=20, ge=1)
    """The same for one IP address, so that nobody takes all; hospitals behind one address may need more."""
    request_seconds: float = Field(default=5, gt=0)
    """From connecting to the last byte of the association request."""
    waiting_sockets: int = Field(default=256, ge=1)
    """Connections that have not asked yet, per listener; beyond it the oldest of the busiest address has to leave."""
    waiting_sockets_per_address: int = Field(default=128, ge=1)
    """The same for one IP address."""
    network_timeout: float = Field(default=60, gt=0)
    """Seconds that a peer may be silent between messages."""
    stall_seconds: float = Field(default=10, gt=0)
    """How long a peer may hold us up in the middle of a message, sending too slowly or not reading our answer."""
    minimum_bytes_per_second: int = Field(default=4096, ge=1)
    """The least that a peer must send over `stall_seconds` while a message is unfinished."""
    drain_seconds: float = Field(default=20, ge=0)
    """How long a stop waits for associations that are open."""
    maximum_backlog: int = Field(default=5_000, ge=1)
    """So much waiting work puts new studies off (A700, transient reject) until a fifth of it is done."""
    minimum_free_bytes: int = Field(default=1 << 30, ge=0)
    """Below this much room on the disk under DATA new objects are put off with A700."""
