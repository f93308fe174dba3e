"""Every alert, firing and silent, as Prometheus evaluates the rules that are shipped."""

import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.monitoring.vocabulary import everything
from scintiflow.config import DICOM_PORTS, PORTS
from tests.prometheus import PROMTOOL, RULES

MONITORING = Path("k8s/monitoring")
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}

ACTIVE = {'scintiflow_keeper_active{instance="keeper"}': "1x60"}
TOLD = 'scintiflow_keeper_results_due_total{destination="pacs",outcome="%s"}'
IN_TIME, LATE = TOLD % "in_time", TOLD % "late"
OLDEST = 'scintiflow_keeper_queue_oldest_seconds{instance="keeper",queue="ready"}'
WAITING, LEASED, LATER = (
    f'scintiflow_keeper_queue_{where}{{instance="keeper",queue="ready"}}' for where in ("waiting", "leased", "later")
)
PUT_OFF = 'scintiflow_sender_put_off_total{destination="pacs"}'
DELIVERED = 'scintiflow_sender_results_total{destination="pacs",outcome="delivered"}'
FREE, WANTED = (f'scintiflow_keeper_disk_{what}_bytes{{instance="keeper"}}' for what in ("free", "wanted"))
SWEPT, LEFT = "scintiflow_keeper_swept_timestamp_seconds", "scintiflow_synthesizer_scans_left"
DRAWN = 'scintiflow_synthesizer_scans_total{lane="bulk",label="normal",instance="%s"}'
RETURNED, EVERY = "scintiflow_probe_returned_timestamp_seconds", "scintiflow_probe_interval_seconds"
PARKED = 'scintiflow_keeper_parked{instance="keeper"}'
GATE = 'scintiflow_classifier_golden_gate{model="m"}'
STANDING_BY = {'scintiflow_keeper_active{instance="keeper"}': "0x60"}
GPU = '{gpu="0",uuid="GPU-1"}'
BUSY, XID = f"scintiflow_gpu_busy_ratio{GPU}", f"scintiflow_gpu_xid_errors_total{GPU}"
USED, MEMORY = f"scintiflow_gpu_memory_used_bytes{GPU}", f"scintiflow_gpu_memory_bytes{GPU}"
DCGM = '{gpu="3",UUID="GPU-1",namespace="scintiflow"}'
FOREIGN = '{gpu="4",UUID="GPU-2",namespace="others"}'
DCGM_XID = f"DCGM_FI_DEV_XID_ERRORS{DCGM}"
EXPORTER = yaml.safe_load(Path("k8s/components/dcgm/exporter.yaml").read_text())["spec"]["endpoints"][0]

Series = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """Samples at every step, and whether an alert fires at a time."""

    alert: str
    what: str
    series: Series
    fires: bool
    at: str = "30m"
    step: str = "1m"


def queue(waiting: str = "0x60", leased: str = "0x60", later: str = "0x60") -> Series:
    """Samples of the ready queue."""
    return {WAITING: waiting, LEASED: leased, LATER: later} | ACTIVE


CASES = [
    Case("ScintiflowResultsLateFast", "a third are late", {IN_TIME: "0+2x60", LATE: "0+1x60"}, True, "1h"),
    Case("ScintiflowResultsLateFast", "nothing finishes", {IN_TIME: "9x60", LATE: "0+1x60"}, True, "1h"),
    Case("ScintiflowResultsLateFast", "a tenth for hours", {IN_TIME: "0+9x180", LATE: "0+1x180"}, True, "6h", "2m"),
    Case("ScintiflowResultsLateFast", "one in a quiet night", {IN_TIME: "3x60", LATE: "0x30 1x30"}, False, "35m"),
    Case("ScintiflowResultsLateFast", "it is over", {IN_TIME: "0+9x120", LATE: "0+9x60 540x60"}, False, "100m"),
    Case("ScintiflowResultsLateFast", "all in time", {IN_TIME: "0+9x60", LATE: "0x60"}, False, "1h"),
    Case("ScintiflowResultsLateSlow", "4 in 100", {IN_TIME: "0+96x150", LATE: "0+4x150"}, True, "1d", "10m"),
    Case("ScintiflowResultsLateSlow", "2 in 100 for days", {IN_TIME: "0+98x150", LATE: "0+2x150"}, True, "3d", "30m"),
    Case("ScintiflowResultsLateSlow", "1 in 200 for days", {IN_TIME: "0+199x150", LATE: "0+1x150"}, False, "3d", "30m"),
    Case("ScintiflowResultsLateSlow", "2 of 100 now", {IN_TIME: "0+98x150", LATE: "0x132 0+2x18"}, False, "3d", "30m"),
    Case("ScintiflowProcessDown", "it is gone", {'up{job="scintiflow",process="router"}': "1x10 0x30"}, True),
    Case("ScintiflowProcessDown", "one scrape fails", {'up{job="scintiflow",process="router"}': "1x29 0 1x9"}, False),
    Case("ScintiflowKeeperBlind", "it sweeps no more", {SWEPT: "0+60x10 600x30"}, True),
    Case("ScintiflowKeeperBlind", "nobody tells", {"up": "1x60"}, True),
    Case("ScintiflowKeeperBlind", "it sweeps", {SWEPT: "0+60x60"}, False),
    Case("ScintiflowProbeLost", "it returns no more", {RETURNED: "0+60x10 600x50", EVERY: "300x60"}, True),
    Case("ScintiflowProbeLost", "one is late", {RETURNED: "0+60x10 600x9 0+60x40", EVERY: "300x60"}, False, "20m"),
    Case("ScintiflowProbeLost", "there is none", ACTIVE, False),
    Case("ScintiflowQueueStuck", "the oldest ages", {OLDEST: "0+60x60"} | ACTIVE, True),
    Case(
        "ScintiflowQueueStuck",
        "all is tried again and nothing leaves",
        queue(later="3x60") | {'scintiflow_router_studies_total{outcome="reported"}': "7x60"},
        True,
    ),
    Case(
        "ScintiflowQueueStuck",
        "it is long, and moves",
        queue(waiting="300x60") | {OLDEST: "90x60", 'scintiflow_router_studies_total{outcome="reported"}': "0+9x60"},
        False,
    ),
    Case("ScintiflowQueueStuck", "a standby remembers", {OLDEST: "999x60"} | STANDING_BY, False),
    Case("ScintiflowBatchesStuck", "nobody makes any", {LEFT: "99x60", DRAWN % 1: "7x60", DRAWN % 2: "8x60"}, True),
    Case("ScintiflowBatchesStuck", "nobody ever did", {LEFT: "99x60"}, True),
    Case("ScintiflowBatchesStuck", "one of two does", {LEFT: "99x60", DRAWN % 1: "7x60", DRAWN % 2: "0+9x60"}, False),
    Case("ScintiflowBatchesStuck", "nothing waits", {LEFT: "0x60", DRAWN % 1: "7x60"}, False),
    Case("ScintiflowWorkParked", "two are parked", {PARKED: "2x60"} | ACTIVE, True),
    Case("ScintiflowWorkParked", "none is", {PARKED: "0x60"} | ACTIVE, False),
    Case("ScintiflowDestinationDead", "every try is put off", {PUT_OFF: "0x5 1x9 2x9 3x40", DELIVERED: "4x60"}, True),
    Case("ScintiflowDestinationDead", "it is busy now and then", {PUT_OFF: "0+1x60", DELIVERED: "0+2x60"}, False),
    Case("ScintiflowDiskFull", "below the mark", {FREE: "3e9x60", WANTED: "4e9x60"} | ACTIVE, True),
    Case("ScintiflowDiskFull", "above it", {FREE: "9e9x60", WANTED: "4e9x60"} | ACTIVE, False),
    Case("ScintiflowDiskFilling", "in a day", {FREE: "100e9-600e6x60", WANTED: "4e9x60"} | ACTIVE, True, "8h", "10m"),
    Case("ScintiflowDiskFilling", "in a month", {FREE: "100e9-20e6x60", WANTED: "4e9x60"} | ACTIVE, False, "8h", "10m"),
    Case("ScintiflowModelNotReady", "the gate is shut", {GATE: "0x60"}, True),
    Case("ScintiflowModelNotReady", "the generator's gate is", {"scintiflow_synthesizer_golden_gate": "0x60"}, True),
    Case("ScintiflowModelNotReady", "it is loading", {GATE: "0x8 1x60"}, False, "8m"),
    Case("ScintiflowEngineStandsIn", "the CPU", {'scintiflow_classifier_engine_stands_in{model="m"}': "1x60"}, True),
    Case("ScintiflowEngineStandsIn", "as configured", {"scintiflow_synthesizer_engine_stands_in": "0x60"}, False),
    Case("ScintiflowGpuFault", "the driver told one", {XID: "0x20 1x60"}, True),
    Case("ScintiflowGpuFault", "DCGM told one", {DCGM_XID: "0x20 79x60"}, True),
    Case("ScintiflowGpuFault", "NVML sees none, DCGM does", {XID: "3x60", DCGM_XID: "0x20 79x60"}, True),
    Case("ScintiflowGpuFault", "it was long ago", {DCGM_XID: "0x10 79x60"}, False, "40m"),
    Case("ScintiflowGpuFault", "it was before anybody asked", {DCGM_XID: "79x60"}, False),
    Case("ScintiflowGpuFault", "somebody else's", {f"DCGM_FI_DEV_XID_ERRORS{FOREIGN}": "0x20 79x60"}, False),
    Case("ScintiflowGpuFault", "none", {XID: "3x60", DCGM_XID: "0x60"}, False),
    Case("ScintiflowGpuMemoryFull", "nearly all is used", {USED: "79e9x60", MEMORY: "80e9x60"}, True),
    Case(
        "ScintiflowGpuMemoryFull",
        "DCGM sees the same",
        {f"DCGM_FI_DEV_FB_USED{DCGM}": "79000x60", f"DCGM_FI_DEV_FB_FREE{DCGM}": "1000x60"},
        True,
    ),
    Case("ScintiflowGpuMemoryFull", "half is", {USED: "40e9x60", MEMORY: "80e9x60"}, False),
    Case("ScintiflowGpuIdle", "a batch waits", {BUSY: "0x60", LEFT: "99x60"}, True),
    Case("ScintiflowGpuIdle", "studies wait", {BUSY: "0.01x60"} | queue(waiting="3x60"), True),
    Case("ScintiflowGpuIdle", "nothing waits", {BUSY: "0x60", LEFT: "0x60"} | queue(), False),
    Case("ScintiflowGpuIdle", "somebody else's", {f"DCGM_FI_DEV_GPU_UTIL{FOREIGN}": "0x60", LEFT: "99x60"}, False),
    Case("ScintiflowGpuIdle", "it works", {BUSY: "0.6x60", LEFT: "99x60"}, False),
]  # fmt: skip


@pytest.mark.peers
@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_should_and_is_silent_otherwise(
    alert: str, tmp_path: Path, peer: Callable[[str], str]
) -> None:
    """Both are tried, and promtool agrees with each."""
    cases = [case for case in CASES if case.alert == alert]
    assert {case.fires for case in cases} == {True, False}
    files = [_written(tmp_path / f"{step}.yml", step, cases) for step in {case.step for case in cases}]
    _agrees(peer(PROMTOOL), *files)


@pytest.mark.peers
def test_a_gpu_is_one_whoever_tells_of_it(tmp_path: Path, peer: Callable[[str], str]) -> None:
    """Where NVML and DCGM both tell of a GPU, under two numbers, each record has it once, and NVML's figure."""
    records = {rule["record"]: rule["expr"] for rule in GROUPS[-1]["rules"] if "record" in rule}
    names = " ".join(records.values())
    ours = {f"{name}{GPU}": "2x9" for name in re.findall(r"scintiflow_gpu_\w+", names)}
    theirs = {f"{name}{DCGM}": "3x9" for name in re.findall(r"DCGM_FI_\w+", names)}
    told = {record: 1 if record == "gpu:memory_used:ratio" else 2 for record in records}
    answers = [{"labels": f'{record}{{uuid="GPU-1"}}', "value": value} for record, value in told.items()]
    asked = [{"expr": '{__name__=~"gpu:.+"}', "eval_time": "5m", "exp_samples": answers}]
    test = {"interval": "1m", "input_series": _scraped(ours | theirs), "promql_expr_test": asked}
    _agrees(peer(PROMTOOL), _file(tmp_path / "both.yml", "1m", [test]))


def _agrees(promtool: str, *files: Path) -> None:
    run = subprocess.run([promtool, "test", "rules", *files], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def _written(file: Path, step: str, cases: Iterable[Case]) -> Path:
    return _file(file, step, [_test(case) for case in cases if case.step == step])


def _file(file: Path, step: str, tests: Sequence[Mapping[str, Any]]) -> Path:
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": step, "tests": [*tests]}))
    return file


def _test(case: Case) -> dict[str, Any]:
    """Ask whether the alert is among those that fire; its labels and sentence are not the point."""
    asked = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}}) > 0 or vector(0)'
    answer = {"labels": "{}", "value": int(case.fires)}
    return {
        "name": f"{case.alert}: {case.what}",
        "interval": case.step,
        "input_series": _scraped(case.series),
        "promql_expr_test": [{"expr": asked, "eval_time": case.at, "exp_samples": [answer]}],
    }


def _scraped(samples: Series) -> list[dict[str, str]]:
    """Return what Prometheus keeps of samples: of DCGM's only what the component `dcgm` says."""
    kept = (series for series in samples if not series.startswith("DCGM_") or _kept(series))
    return [{"series": series, "values": samples[series]} for series in kept]


def _kept(series: str) -> bool:
    """Do as Prometheus does with a series, by the exporter's metricRelabelings, each of which keeps something."""
    labels = {"__name__": series.partition("{")[0]} | dict(re.findall(r'(\w+)="(.*?)"', series))
    assert {rule["action"] for rule in EXPORTER["metricRelabelings"]} == {"keep"}
    return all(
        re.fullmatch(rule["regex"], ";".join(labels.get(name, "") for name in rule["sourceLabels"]))
        for rule in EXPORTER["metricRelabelings"]
    )


def test_every_alert_has_its_entry_in_the_runbook() -> None:
    """The annotation of each alert leads to a heading, and no heading is left of an alert that is gone."""
    headings = [line[3:] for line in (MONITORING / "RUNBOOK.md").read_text().splitlines() if line.startswith("## ")]
    assert headings == list(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"] == f"k8s/monitoring/RUNBOOK.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_rules_ask_for_what_is_there() -> None:
    """Every series of ours that a rule names is exported by some process."""
    known = {name for family in everything() for name in family.series}
    assert set(re.findall(r"scintiflow_\w+", RULES.read_text())) <= known


@pytest.mark.peers
def test_the_scrape_configuration_finds_every_process(peer: Callable[[str], str]) -> None:
    """Prometheus takes it, and the ports in it are those that the processes listen on."""
    subprocess.run([peer(PROMTOOL), "check", "config", MONITORING / "prometheus.yml"], check=True)
    (job,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    targets = {one["labels"]["process"]: one["targets"] for one in job["static_configs"]}
    ports = {name: port for name, port in PORTS.items() if name not in DICOM_PORTS | {"probe"}}
    assert targets == {name: [f"127.0.0.1:{port}"] for name, port in ports.items()}
    assert f"127.0.0.1:{PORTS['probe']}" in (MONITORING / "prometheus.yml").read_text(), "where there is one"
