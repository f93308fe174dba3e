"""kill -9 of everything, again and again, while studies stream in: nothing acknowledged is lost."""

import json
import statistics
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

_SURE = 3  # no failure in n: with 95 % confidence fewer than 3 in n (the rule of three)


def test_nothing_acknowledged_is_lost_whatever_is_killed(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """Every object answered 0000 comes to one honest end, and work flows again within 30 s of every kill."""
    kills, stacks, seed = (pytestconfig.getoption(name) for name in ("--kills", "--stacks", "--seed"))
    console = Console(stderr=True, highlight=False)
    shares = [kills // stacks + (number < kills % stacks) for number in range(stacks)]
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled(), _bar(console) as bar:
        console.print(f"{kills} kills on {stacks} stacks, seed {seed}, ledgers in {tmp_path}", soft_wrap=True)
        task = bar.add_task("kills", total=kills)
        legs = [_Leg(tmp_path / f"stack-{n}", share, seed + n) for n, share in enumerate(shares, 1) if share]
        for leg in legs:
            leg.start(lambda text: (console.print(text, soft_wrap=True), bar.advance(task)))
        for leg in legs:
            leg.join()
        _report(console, legs)
    assert not [violation for leg in legs for violation in leg.violations]


class _Leg(threading.Thread):
    """One leg in a process of its own, and what it has told."""

    def __init__(self, folder: Path, kills: int, seed: int) -> None:
        super().__init__(name=folder.name)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.drills.crash.leg", str(folder), str(kills), str(seed)],
            stdout=subprocess.PIPE,
        )
        self._kills = kills
        self.told: list[dict[str, Any]] = []
        self.studies = 0
        self.violations: list[str] = []

    def start(self, tell: Any) -> None:
        """Begin to listen; `tell` gets a line for each fault."""
        self._tell = tell
        super().start()

    def run(self) -> None:
        """Take down each fault, and what was found at the end."""
        assert self._process.stdout is not None
        self.violations = [f"{self.name} did not come to its end"]
        for line in self._process.stdout:
            told = json.loads(line)
            if "end" in told:
                self.studies, self.violations = told["studies"], told["violations"]
            else:
                self.told.append(told)
                self._tell(self._line(told))
        self._process.wait()

    def _line(self, told: dict[str, Any]) -> str:
        healed = f"healed in {told['healing']:.1f} s" if told["healing"] is not None else f"[red]{told['violation']}[/]"
        return f"{self.name}  {told['number']:>4}  {told['victim']:<10}  {told['name']:<55}  {healed}"


def _bar(console: Console) -> Progress:
    return Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _report(console: Console, legs: list[_Leg]) -> None:
    """Print kills and healing by what was killed, the violations, and what follows from there being none."""
    told = [fault for leg in legs for fault in leg.told]
    violations = [f"{leg.name}: {violation}" for leg in legs for violation in leg.violations]
    table = Table("killed", "at", "times", "healing, median s", "longest s")
    for (victim, name), times in sorted(Counter((fault["victim"], fault["name"]) for fault in told).items()):
        table.add_row(victim, name, str(times), *_healing(told, victim, name))
    table.add_section()
    table.add_row("all", "", str(len(told)), *_healing(told))
    console.print(table)
    for violation in violations:
        console.print(violation, style="red", soft_wrap=True, markup=False)
    studies = sum(leg.studies for leg in legs)
    if violations:
        console.print(f"{len(violations)} violations, {studies} studies, {len(told)} kills")
    else:
        console.print(
            f"0 violations: {studies} studies, {len(told)} kills; below {_SURE / len(told):.2%} a kill at 95 %"
        )


def _healing(told: list[dict[str, Any]], victim: str | None = None, name: str | None = None) -> tuple[str, str]:
    seconds = [
        fault["healing"]
        for fault in told
        if fault["healing"] is not None and victim in (None, fault["victim"]) and name in (None, fault["name"])
    ]
    return (f"{statistics.median(seconds):.1f}", f"{max(seconds):.1f}") if seconds else ("-", "-")
