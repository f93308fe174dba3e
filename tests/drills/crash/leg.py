"""One leg of the crash drill: one installation, one modality, one PACS, and so many kills.

`python -m tests.drills.crash.leg FOLDER KILLS SEED [WORDS]` prints one line of JSON a fault and one for the end; with
WORDS only the faults that have them in their name strike.
"""

import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from scintiflow.dicom.identity import study_folder
from scintiflow.lifetime import die_with_parent
from scintiflow.records import ENDS, read_record
from scintiflow.store import Store
from tests.drills.crash import oracle
from tests.drills.crash.faults import Fault, faults
from tests.drills.crash.installation import Installation
from tests.drills.crash.ledger import Ledger, read_ledger
from tests.drills.crash.pacs import LedgeredPacs
from tests.drills.crash.resources import Resources, measure
from tests.drills.crash.sender import LedgeredSender
from tests.drills.crash.studies import studies
from tests.waiting import wait_for

_HEALS_WITHIN = 30.0
_QUIET_WITHIN = 45.0
"""... must a study come to its end, or nothing moves any more."""
_BACK_WITHIN = 60.0
_STUDIES_BEFORE = 8
_ORPHANS_GONE_WITHIN = 12.0
_STRIKES_ALLOWED = 2


class Leg:
    """Everything of one leg; what it finds is in `violations`."""

    def __init__(self, folder: Path, seed: int, only: str = "") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.seed = seed
        self.only = only
        self.violations: list[str] = []
        self._faults = Ledger(folder / "faults.jsonl")

    def run(self, kills: int, tell: Callable[[dict[str, Any]], None]) -> None:
        """Kill so often while studies stream, let it become quiet, and hold what is there against the promises."""
        with LedgeredPacs(self.folder / "pacs.jsonl") as pacs:
            self.installation = Installation(self.folder, pacs.port)
            stream = studies(self.seed)
            ledger = self.folder / "sender.jsonl"
            self.sender = LedgeredSender(self.installation.stack.dicom_port, stream, pacs, ledger)
            try:
                self.sender.start()
                wait_for(lambda: len(self.sender.accepted) >= _STUDIES_BEFORE, seconds=60)
                before = measure(self.installation)
                for number, fault in zip(range(1, kills + 1), faults(self.seed, self.only), strict=False):
                    tell(self._faults.write(number=number, **self._strike(fault)))
                self._quieten()
                self.violations += self._judge(before)
            finally:
                self.sender.stop(0)
                self.installation.stop()

    def _strike(self, fault: Fault) -> dict[str, Any]:
        """Let one fault strike; return what it was, and the seconds until work flowed again."""
        told: dict[str, Any] = {"victim": fault.victim, "name": fault.name, "healing": None}
        self._spare_those_struck_twice()
        try:
            fault.strike(self.installation)
        except AssertionError:
            return told | self._violated(f"nobody came to “{fault.victim}: {fault.name}”")
        if fault.victim == "supervisor":
            self._await_the_end()
        struck = time.time()
        if fault.victim == "supervisor":
            self.installation.start()
        try:
            wait_for(lambda: self.sender.healed(struck), _HEALS_WITHIN, every=0.05)
        except AssertionError:
            return told | self._violated(f"no result within {_HEALS_WITHIN:g} s after “{fault.victim}: {fault.name}”")
        return told | {"healing": round(time.time() - struck, 2)}

    def _await_the_end(self) -> None:
        """Wait until nothing is left of `scintiflow up`, as an init system does before it starts it again."""
        self.installation.stack.process.wait()
        for orphan in self.installation.orphans(_ORPHANS_GONE_WITHIN):
            self._violated(
                f"{' '.join(orphan.cmdline()[1:4])} outlives the supervisor; see sabotage/stacks/{orphan.pid}"
            )
            orphan.send_signal(signal.SIGUSR1)
            time.sleep(1)
            orphan.kill()

    def _violated(self, sentence: str) -> dict[str, Any]:
        self.violations.append(sentence)
        return {"violation": sentence}

    def _spare_those_struck_twice(self) -> None:
        """Wait for work that was in the hands of two processes killed: of a third, it is parked as poison, rightly."""
        redis = self.installation.redis()

        def spared() -> bool:
            with suppress(RedisError):
                counts = [redis.hvals(f"scintiflow:{queue}:failures") for queue in ("ready", "results:pacs")]
                return all(int(count) < _STRIKES_ALLOWED for found in counts for count in found)
            return True

        with suppress(AssertionError):
            wait_for(spared, seconds=30, every=0.1)

    def _quieten(self) -> None:
        """Stop sending and wait until every study has come to an end, or nothing moves any more."""
        if not self.sender.stop(60):
            self.violations.append("a study was not accepted within 60 s after the last fault")
        store = Store(self.installation.data)
        open_ones = [study_folder(study.uid) for study in self.sender.sent]
        with suppress(AssertionError):
            while open_ones:
                left = len(open_ones)
                wait_for(lambda left=left: len(_drop_ended(store, open_ones)) < left, _QUIET_WITHIN, every=0.5)

    def _judge(self, before: Resources) -> list[str]:
        """Hold ledgers, disk and log against the promises; if all is well, see whether all is given back too."""
        sent, installation = self.sender.sent, self.installation
        store = Store(installation.data)
        sender, pacs = (read_ledger(self.folder / f"{name}.jsonl") for name in ("sender", "pacs"))
        found = [
            *oracle.honest_ends(store, sent),
            *oracle.answers(sender),
            *oracle.bytes_kept(store, sender),
            *oracle.results(sent, pacs),
            *oracle.told_no_lies(store, pacs),
            *oracle.discreet(installation),
            *oracle.witnessed(self.folder / "sabotage"),
        ]
        return found or [
            *_none_within(_BACK_WITHIN, lambda: list(oracle.queues_empty(installation.redis()))),
            *_none_within(_BACK_WITHIN, lambda: list(oracle.swept(installation))),
            *_none_within(_BACK_WITHIN, lambda: measure(installation).beyond(before, len(sent))),
        ]


def _drop_ended(store: Store, folders: list[str]) -> list[str]:
    """Take the studies that have come to an end out of `folders`."""
    folders[:] = [folder for folder in folders if read_record(store, folder).outcome.state not in ENDS]
    return folders


def _none_within(seconds: float, violations: Callable[[], list[str]]) -> list[str]:
    """Return what is still violated after `seconds`."""
    with suppress(AssertionError):
        wait_for(lambda: not violations(), seconds, every=0.5)
    return violations()


def main() -> None:
    """Run one leg and tell about it on standard output."""
    die_with_parent(signal.SIGTERM)
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    leg = Leg(folder, seed, *sys.argv[4:])
    leg.run(kills, lambda fault: print(json.dumps(fault), flush=True))
    end = {"end": True, "studies": len(leg.sender.sent), "violations": leg.violations}
    print(json.dumps(end), flush=True)


if __name__ == "__main__":
    main()
