"""The BentoML service, as `bentoml serve scintiflow.synthesizer.service:Synthesizer` takes it."""

import bentoml

from scintiflow.serving.direct import Direct


# BentoML's own metrics are off: ours would stand among them.
@bentoml.service(name="synthesizer", workers=1, service_class=Direct, metrics={"enabled": False})
class Synthesizer:
    """The generator under models/, behind `POST /v1/generate` and `/v1/batches`."""


if bentoml.server_context.worker_index is not None:  # the supervisor imports this module too, and serves nothing
    from scintiflow.synthesizer.worker import equip

    equip(Synthesizer)
