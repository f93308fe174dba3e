"""The BentoML service, as `bentoml serve scintiflow.classifier.service:Classifier` takes it."""

import bentoml


# BentoML's own metrics and access log are off: both would name every path that a stranger asks for.
@bentoml.service(
    name="classifier",
    workers=1,
    traffic={"timeout": 60, "max_concurrency": 64},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Classifier:
    """Every classifier under models/, behind the Open Inference Protocol v2 and `POST /classify`."""


if bentoml.server_context.worker_index is not None:  # the supervisor imports this module too, and serves nothing
    from scintiflow.classifier.worker import equip

    equip(Classifier)
