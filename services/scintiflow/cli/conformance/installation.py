"""What a statement is about: settings, rules and models of one installation."""

from dataclasses import dataclass

from scintiflow.config import Configuration
from scintiflow.inference.manifest import Manifest
from scintiflow.receiver.settings import Settings as ReceiverSettings
from scintiflow.sender.settings import SenderSettings


@dataclass(frozen=True)
class Installation:
    """One installation; `port` is the one for DICOM."""

    port: int
    receiver: ReceiverSettings
    sender: SenderSettings
    configuration: Configuration
    models: tuple[Manifest, ...]

    @property
    def associations(self) -> int:
        """How many may be open at once, in all listeners."""
        return self.receiver.listeners * self.receiver.maximum_associations
