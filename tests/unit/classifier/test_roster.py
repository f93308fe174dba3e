"""What is said of models that are being loaded, are served, or are not any more."""

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from scintiflow.classifier.roster import Roster
from scintiflow.errors import Refused, Unavailable
from scintiflow.inference.batcher import Batcher
from scintiflow.inference.engine import Answer, Engine, open_engine
from scintiflow.inference.manifest import Manifest
from tests.graphs import model_folder, scans


async def loaded(roster: Roster) -> None:
    """Wait until no model is being loaded any more."""
    async with asyncio.timeout(30):
        while any(served.state == "LOADING" for served in roster.all()):
            await asyncio.sleep(0.01)


def test_a_model_that_loads_for_ever_is_told(tmp_path: Path) -> None:
    """While an engine opens and opens, the gates of its model and of the one behind it stand at 0, not at nothing."""
    names = ("opens", "waits")
    for name in names:
        model_folder(tmp_path, name)
    opening, let_go = threading.Event(), threading.Event()

    def open_never(manifest: Manifest) -> Engine:
        opening.set()
        let_go.wait(60)
        raise Refused(f"{manifest.name} never opened.")

    roster = Roster(tmp_path, chosen=lambda manifest: manifest, open_engine=open_never, new_batcher=NotImplemented)

    async def gates() -> list[float | None]:
        async with roster.opened():
            await asyncio.to_thread(opening.wait, 60)
            told = [REGISTRY.get_sample_value("scintiflow_classifier_golden_gate", {"model": name}) for name in names]
        let_go.set()
        return told

    assert asyncio.run(gates()) == [0, 0]


def test_a_model_whose_batcher_has_ended_is_not_ready(tmp_path: Path) -> None:
    """Once nothing takes its requests any more, readiness, its state and its answers say so."""
    without_rows = Answer(*[np.zeros((), np.float32)] * 3)
    model_folder(tmp_path, "bright")
    roster = Roster(
        tmp_path,
        chosen=lambda manifest: manifest,
        open_engine=open_engine,
        new_batcher=lambda engine, heard: Batcher(lambda canvas, present: without_rows, on_batch=heard),
    )

    async def scenario() -> None:
        async with roster.opened():
            await loaded(roster)
            (served,) = roster.all()
            assert (served.state, served.reason, roster.trouble()) == ("READY", "", None)
            with pytest.raises(Unavailable):
                await served.answer(*scans(1), within=10)
            assert served.state == "UNAVAILABLE"
            assert roster.trouble() == "bright: What answers for the model has ended; the log says why."
            with pytest.raises(Unavailable, match="has ended"):
                await served.answer(*scans(1), within=10)

    asyncio.run(scenario())
