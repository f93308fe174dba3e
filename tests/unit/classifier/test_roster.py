"""What a roster tells of its models while they are loaded."""

import asyncio
import threading
from pathlib import Path

from prometheus_client import REGISTRY

from scintiflow.classifier.roster import Roster
from scintiflow.errors import Refused
from scintiflow.inference.engine import Engine
from scintiflow.inference.manifest import Manifest
from tests.graphs import model_folder


def test_a_model_that_loads_for_ever_is_told(tmp_path: Path) -> None:
    """While an engine opens and opens, the gates of its model and of the one behind it stand at 0, not at nothing."""
    names = ("opens", "waits")
    for name in names:
        model_folder(tmp_path, name)
    opening, let_go = threading.Event(), threading.Event()

    def open_engine(manifest: Manifest) -> Engine:
        opening.set()
        let_go.wait(60)
        raise Refused(f"{manifest.name} never opened.")

    roster = Roster(tmp_path, chosen=lambda manifest: manifest, open_engine=open_engine, new_batcher=NotImplemented)

    async def gates() -> list[float | None]:
        async with roster.opened():
            await asyncio.to_thread(opening.wait, 60)
            told = [REGISTRY.get_sample_value("scintiflow_classifier_golden_gate", {"model": name}) for name in names]
        let_go.set()
        return told

    assert asyncio.run(gates()) == [0, 0]
