"""The BentoML service, as `bentoml serve scintiflow.synthesizer.service:Synthesizer` takes it."""

import bentoml


# BentoML's own metrics and access log are off: both would name every path that a stranger asks for. How many may ask
# at a time is for the service to say, with a sentence and Retry-After.
@bentoml.service(
    name="synthesizer",
    workers=1,
    traffic={"timeout": 180},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Synthesizer:
    """The generator under models/, behind `POST /v1/generate` and `/v1/batches`."""


if bentoml.server_context.worker_index is not None:  # the supervisor imports this module too, and serves nothing
    from scintiflow.synthesizer.worker import equip

    equip(Synthesizer)
