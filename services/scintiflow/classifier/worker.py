"""What only the worker of the BentoML service needs; its supervisor starts faster without."""

import os
import sys
from functools import partial

import bentoml

from scintiflow.classifier.application import Probes, application
from scintiflow.classifier.roster import Roster
from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.config import Deployment
from scintiflow.inference.batcher import Batcher
from scintiflow.inference.engine import open_engine
from scintiflow.lifetime import die_with_parent
from scintiflow.telemetry import configure_logging


def equip(service: "bentoml.Service[object]") -> None:
    """Give the service its models and its answers, and tie this process to its supervisor's life."""
    settings = ClassifierSettings()
    _stay_with(settings.supervisor)
    configure_logging("classifier")
    roster = Roster(
        Deployment().models,
        open_engine=partial(open_engine, name=settings.engine, precision=settings.precision),
        new_batcher=partial(
            Batcher,
            maximum_rows=settings.maximum_rows,
            maximum_delay=settings.maximum_delay_seconds,
            maximum_waiting=settings.maximum_waiting,
        ),
    )
    service.mount_asgi_app(
        application(roster, maximum_body=settings.maximum_body_bytes, deadline=settings.deadline_seconds)
    )
    service.add_asgi_middleware(Probes, trouble=roster.trouble)


def _stay_with(supervisor: int | None) -> None:
    """A worker left alone would hold the port and say ready; it may be alone already before it comes here."""
    die_with_parent()
    if supervisor not in (None, os.getppid()):
        sys.exit("The classifier's supervisor is gone.")
