"""What only the worker of the BentoML service needs; its supervisor starts faster without."""

import bentoml

from scintiflow.config import Deployment
from scintiflow.serving.bento import stay_with_supervisor
from scintiflow.serving.gpus import watch_gpus
from scintiflow.store import Store
from scintiflow.synthesizer.application import application
from scintiflow.synthesizer.served import Served
from scintiflow.synthesizer.settings import SynthesizerSettings
from scintiflow.telemetry import configure_logging


def equip(service: "bentoml.Service[object]") -> None:
    """Give the service its generator, its batches and its answers, and tie this process to its supervisor's life."""
    stay_with_supervisor()
    deployment, settings = Deployment(), SynthesizerSettings()
    configure_logging("synthesizer", deployment.log_format)
    watch_gpus()
    served = Served(deployment.models, settings, deployment.engines)
    # A store of its own: on several machines it has this folder of DATA and no other.
    store = Store(deployment.data / "synthesis")
    store.data.mkdir(parents=True, exist_ok=True)
    service.mount_asgi_app(application(served, store, settings))
