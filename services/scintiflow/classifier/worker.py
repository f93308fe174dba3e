"""What only the worker of the BentoML service needs; its supervisor starts faster without."""

from functools import partial

import bentoml

from scintiflow.classifier.application import application
from scintiflow.classifier.roster import Roster
from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.classifier.traced import Traced
from scintiflow.config import Deployment
from scintiflow.inference.batcher import Batcher
from scintiflow.inference.engine import open_engine
from scintiflow.serving.bento import stay_with_supervisor
from scintiflow.serving.gpus import watch_gpus
from scintiflow.telemetry import configure_logging
from scintiflow.tracing import open_tracing


def equip(service: "bentoml.Service[object]") -> None:
    """Give the service its models and its answers, and tie this process to its supervisor's life."""
    stay_with_supervisor()
    settings, installation = ClassifierSettings(), Deployment()
    configure_logging("classifier", installation.log_format)
    watch_gpus()
    roster = Roster(
        installation.models,
        chosen=lambda manifest: manifest.run_by(settings.overrule(manifest.engine)),
        open_engine=partial(open_engine, cache=installation.engines),
        new_batcher=lambda engine, heard: Batcher(
            engine.run,
            maximum_rows=settings.maximum_rows or engine.sizes[-1],
            maximum_delay=settings.maximum_delay_seconds,
            maximum_waiting=settings.maximum_waiting,
            on_batch=heard,
        ),
    )
    answers = application(
        roster,
        maximum_body=settings.maximum_body_bytes,
        maximum_waiting=settings.maximum_waiting,
        sending=settings.sending_seconds,
        deadline=settings.deadline_seconds,
    )
    if installation.otlp_endpoint:
        answers.add_middleware(Traced, tracing=open_tracing("classifier", installation.otlp_endpoint))
    service.mount_asgi_app(answers)
