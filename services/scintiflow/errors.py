"""The ways in which work can fail, and what a caller does about each.

::

    ScintiflowError
    +-- Refused        asking again gives the same answer: decline or park it, with the sentence
    |   +-- Declined   nothing is wrong, the scan is simply not for us
    +-- Unavailable    the world is not ready (Redis, classifier, destination, disk): retry later, for days
    +-- Failed         it may go better next time, or never: retry a few times, then park it

The message is a sentence that a PACS administrator can act on. It never holds a patient's name, an
identifier or a UID, because it reaches logs and screens.
"""


class ScintiflowError(Exception):
    """Any failure that the line knows how to handle."""


class Refused(ScintiflowError):
    """Never worth a retry."""


class Declined(Refused):
    """A sound object or study that is not for us; the message is the reason."""


class Unavailable(ScintiflowError):
    """Worth a retry later."""


class Failed(ScintiflowError):
    """Worth a few retries; counted, and parked when they are used up."""
