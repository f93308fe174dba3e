"""The BentoML service, as `bentoml serve scintiflow.classifier.service:Classifier` takes it."""

import bentoml

from scintiflow.serving.direct import Direct


# BentoML's own metrics are off: ours would stand among them.
@bentoml.service(name="classifier", workers=1, service_class=Direct, metrics={"enabled": False})
class Classifier:
    """Every classifier under models/, behind the Open Inference Protocol v2 and `POST /classify`."""


if bentoml.server_context.worker_index is not None:  # the supervisor imports this module too, and serves nothing
    from scintiflow.classifier.worker import equip

    equip(Classifier)
