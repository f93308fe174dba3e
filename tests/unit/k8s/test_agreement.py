"""What k8s and the Dockerfile say of the code is so."""

import os
import re
import subprocess
from pathlib import Path
from types import ModuleType
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry
from pydantic import AliasChoices
from pydantic_settings import BaseSettings
from redis import Redis

import scintiflow
from scintiflow.classifier import metrics as classifier_metrics
from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.config import PORTS, Deployment, read_configuration
from scintiflow.inference.engine import _SIZES
from scintiflow.keeper.settings import KeeperSettings
from scintiflow.probe.settings import ProbeSettings
from scintiflow.receiver.crew import _GRACE_SECONDS
from scintiflow.receiver.settings import Settings as ReceiverSettings
from scintiflow.router.settings import RouterSettings
from scintiflow.sender.settings import SenderSettings
from scintiflow.serving.bento import _GRACE_SECONDS as _SERVING_GRACE_SECONDS
from scintiflow.stream import _GROUP, Stream
from scintiflow.synthesizer import metrics as synthesizer_metrics
from scintiflow.synthesizer.settings import SynthesizerSettings
from scintiflow.telemetry import serve_probes
from tests.images import stages
from tests.manifests import K8S, Manifest, Overlay, containers, pod, render, selects
from tests.ports import free_port

SETTINGS: tuple[type[BaseSettings], ...] = (
    Deployment,
    ReceiverSettings,
    KeeperSettings,
    RouterSettings,
    ClassifierSettings,
    SenderSettings,
    SynthesizerSettings,
    ProbeSettings,
)
PROCESSES = {"receiver", "keeper", "router", "classifier", "sender", "synthesizer", "probe"}
DICOM = {"receiver": "dicom", "probe": "probe_dicom"}
"""Processes that listen for DICOM too -> the name of the port."""
TRIGGERS = {
    "redis": [{"address", "listName", "listLength"}],
    "redis-streams": [
        {"address", "stream", "consumerGroup", "lagCount"},
        {"address", "stream", "consumerGroup", "pendingEntriesCount"},
    ],
    "prometheus": [{"serverAddress", "query", "threshold"}],
}
"""Types of KEDA's triggers -> the sets of parameters that each is used with (https://keda.sh/docs/latest/scalers)."""
FINAL = {*PROCESSES, "classifier-gpu", "synthesizer-gpu"}
ROOT = Path(__file__).parents[3]


def field(variable: str) -> tuple[type[BaseSettings], str]:
    """Return the settings and the field that an environment variable sets."""
    for settings in SETTINGS:
        if variable in _aliases(settings):
            return settings, variable
        name = variable.removeprefix(str(settings.model_config["env_prefix"])).lower()
        if name in settings.model_fields:
            return settings, name
    raise AssertionError(f"no settings have a field for {variable}")


def _aliases(settings: type[BaseSettings]) -> set[object]:
    """Return the variables of others that some fields are set by."""
    found = (each.validation_alias for each in settings.model_fields.values())
    return {name for alias in found if isinstance(alias, AliasChoices) for name in alias.choices}


def environment(overlay: Overlay, container: Manifest) -> dict[str, str]:
    """Return what a container finds in its environment."""
    shared = overlay.settings("environment") if container.get("envFrom") else {}
    return shared | {each["name"]: each["value"] for each in container.get("env", ())}


def test_every_variable_sets_something(overlay: Overlay) -> None:
    """Each environment variable of each container is a field of our settings, with a value that the field takes."""
    for workload in overlay.workloads.values():
        for container in containers(workload):
            for variable, value in environment(overlay, container).items():
                settings, name = field(variable)
                settings(**{name: value})


def test_every_variable_of_an_image_sets_something() -> None:
    """The Dockerfile sets nothing of ours that is no setting."""
    for stage in stages().values():
        for variable, value in stage.environment.items():
            if variable.startswith("SCINTIFLOW_"):
                settings, name = field(variable)
                settings(**{name: value})


def test_every_image_is_a_target(overlay: Overlay) -> None:
    """Each of our images is made by the Dockerfile's stage of that name, and runs the process that it is used for."""
    for name in PROCESSES:
        for container in containers(overlay.workloads[name]):
            target, version = re.fullmatch(r"scintiflow/([a-z-]+):(\S+)", container["image"]).groups()
            assert version == scintiflow.__version__
            assert target in (name, f"{name}-gpu")
            assert stages()[target].command == ["python", "-m", f"scintiflow.{name}"]


def test_no_tag_moves(overlay: Overlay) -> None:
    """Each image is named by a version down to its patch, which stays what it is once it is pushed."""
    for workload in overlay.workloads.values():
        for container in containers(workload):
            assert re.search(r":\d+\.\d+\.\d+(-\w+)?$", container["image"])


def test_every_process_is_deployed(overlay: Overlay) -> None:
    """There is a workload for each process that has a main, and Redis."""
    mains = {main.parent.name for main in (ROOT / "services/scintiflow").glob("*/__main__.py")}
    assert mains == PROCESSES
    assert set(overlay.workloads) == PROCESSES | {"redis"}


def test_ports_are_those_of_the_code(overlay: Overlay) -> None:
    """Containers, services, images and health checks name the ports that the processes listen on."""
    for name in PROCESSES:
        expected = {"http": PORTS[name]} | ({"dicom": PORTS[DICOM[name]]} if name in DICOM else {})
        (container,) = pod(overlay.workloads[name])["containers"]
        assert {port["name"]: port["containerPort"] for port in container["ports"]} == expected
        stage = stages()[container["image"].partition("/")[2].partition(":")[0]]
        assert stage.ports == set(expected.values())
        assert stage.probe == f"http://127.0.0.1:{PORTS[name]}/livez"
    for service in overlay.of("Service"):
        for port in service["spec"]["ports"]:
            (container,) = pod(overlay.workloads[service["spec"]["selector"]["app.kubernetes.io/name"]])["containers"]
            named = {each["name"]: each["containerPort"] for each in container["ports"]}
            assert port["port"] == named[port["targetPort"]]


def test_routers_find_the_classifier(overlay: Overlay) -> None:
    """The classifier's URL names its service and its port, and every Redis URL the service of Redis."""
    ports = {each["metadata"]["name"]: each["spec"]["ports"][0]["port"] for each in overlay.of("Service")}
    (router,) = pod(overlay.workloads["router"])["containers"]
    assert (
        environment(overlay, router)["SCINTIFLOW_ROUTER_CLASSIFIER_URL"] == f"http://classifier:{ports['classifier']}"
    )
    assert overlay.settings("environment")["SCINTIFLOW_REDIS_URL"] == f"redis://redis:{ports['redis']}/0"


def test_the_probe_finds_the_line_and_is_found(overlay: Overlay) -> None:
    """It goes round at an interval, sends to the receiver's service, and results come to its own, ready or not."""
    services = {each["metadata"]["name"]: each for each in overlay.of("Service")}
    (probe,) = pod(overlay.workloads["probe"])["containers"]
    told = environment(overlay, probe)
    assert services[told["SCINTIFLOW_PROBE_RECEIVER"]]["spec"]["selector"] == {"app.kubernetes.io/name": "receiver"}
    its_own = services[told["SCINTIFLOW_PROBE_HOST"]]["spec"]
    assert its_own["publishNotReadyAddresses"]
    assert its_own["clusterIP"] == "None"  # its name leads to the pod's address, which it may send from
    for name in ("receiver", "keeper", "router", "sender"):
        (container,) = pod(overlay.workloads[name])["containers"]
        assert environment(overlay, container)["SCINTIFLOW_PROBE_INTERVAL_SECONDS"] == "300"


def test_probes_are_answered(overlay: Overlay) -> None:
    """Whatever a kubelet or Prometheus asks for, a process that is ready answers."""
    port = free_port()
    server = serve_probes(port, lambda: None, CollectorRegistry())
    asked = {"/metrics"}
    for name in PROCESSES:
        for container in pod(overlay.workloads[name])["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= container.keys()
            probes = [said["httpGet"] for name, said in container.items() if name.endswith("Probe")]
            assert {probe["port"] for probe in probes} == {"http"}
            asked |= {probe["path"] for probe in probes}
    try:
        assert asked == {"/metrics", "/readyz", "/livez"}
        for path in asked:
            with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == 200
    finally:
        server.shutdown()
        server.server_close()


def test_prometheus_finds_every_process(overlay: Overlay) -> None:
    """Where there is monitoring, it takes each process's service at the port of its metrics, all as one job."""
    for monitor in overlay.of("ServiceMonitor"):
        if monitor["metadata"]["name"] != "processes":
            continue
        selector = monitor["spec"]["selector"]
        found = [each for each in overlay.of("Service") if selects(selector, each["metadata"]["labels"])]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["path"] == "/metrics"
        pending = {"sourceLabels": ["__meta_kubernetes_pod_phase"], "regex": "Pending", "action": "drop"}
        assert pending in endpoint["relabelings"]  # it builds engines, and is not down
        assert {each["metadata"]["labels"][monitor["spec"]["jobLabel"]] for each in found} == {"scintiflow"}
        assert {each["metadata"]["name"]: _port(each, endpoint["port"]) for each in found} == {
            name: PORTS[name] for name in PROCESSES
        }


def _port(service: Manifest, name: str) -> int:
    (port,) = (each["port"] for each in service["spec"]["ports"] if each["name"] == name)
    return int(port)


def test_a_stop_leaves_time_for_work_in_hand(overlay: Overlay) -> None:
    """Each grace period holds what a stop may take: open associations, answers, results and shards under way."""
    needed = {
        "receiver": _setting(overlay, "receiver", ReceiverSettings, "drain_seconds") + _GRACE_SECONDS,
        "classifier": ClassifierSettings().deadline_seconds,
        "router": 2 * RouterSettings().classifier_timeout_seconds,
        "sender": 2 * SenderSettings().timeout_seconds,
        "synthesizer": _setting(overlay, "synthesizer", SynthesizerSettings, "drain_seconds") + _SERVING_GRACE_SECONDS,
    }
    for name, seconds in needed.items():
        spec = pod(overlay.workloads[name])
        asleep = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if name == "classifier":
            assert asleep > seconds  # it stops once nobody waits for it any more
            seconds = 3
        assert spec["terminationGracePeriodSeconds"] > asleep + seconds


def _setting(overlay: Overlay, name: str, settings: type[BaseSettings], field: str) -> float:
    variable = f"{settings.model_config['env_prefix']}{field}".upper()
    found = environment(overlay, pod(overlay.workloads[name])["containers"][0]).get(variable)
    return float(found if found is not None else getattr(settings(), field))


def test_scaling_asks_for_what_is_counted(overlay: Overlay) -> None:
    """Each metric in a query of KEDA is one that its target exports; a router's share is what it reads at once."""
    exporters = {"classifier": _exported(classifier_metrics), "synthesizer": _exported(synthesizer_metrics)}
    for scaled in overlay.of("ScaledObject"):
        exported = exporters.get(scaled["spec"]["scaleTargetRef"]["name"], set())
        for trigger in scaled["spec"]["triggers"]:
            assert set(re.findall(r"scintiflow_\w+", trigger["metadata"].get("query", ""))) <= exported
            if "pendingEntriesCount" in trigger["metadata"]:
                assert int(trigger["metadata"]["pendingEntriesCount"]) == RouterSettings().studies_at_once


def test_another_classifier_is_asked_for_when_batches_are_full(overlay: Overlay) -> None:
    """One replica has an engine of each model at work and half a batch waiting for each; routers, as many as there may
    be, have enough in hand that the last replica is asked for."""
    scaled = {each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in overlay.of("ScaledObject")}
    if not scaled:
        return
    rows = len(shipped()) * _SIZES["tensorrt" if overlay.name == "gpu" else "cpu"][-1]
    (trigger,) = scaled["classifier"]["triggers"]
    assert int(trigger["metadata"]["threshold"]) == len(shipped()) + rows / 2
    in_hand = scaled["router"]["maxReplicaCount"] * RouterSettings().studies_at_once
    assert in_hand > (rows + rows / 2) * (scaled["classifier"]["maxReplicaCount"] - 1)


def test_triggers_say_what_keda_reads(overlay: Overlay) -> None:
    """Each has all parameters that KEDA asks of its type, spelt as KEDA does, and no other, which it would ignore."""
    for scaled in overlay.of("ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            assert trigger.keys() == {"type", "metadata"}
            assert trigger["metadata"].keys() in TRIGGERS[trigger["type"]]


def test_keda_looks_at_the_queue_of_the_routers(overlay: Overlay) -> None:
    """Stream, group and hash in the routers' triggers are those that the queue `ready` is made of."""
    ready = Stream(Redis(), "ready")
    for scaled in overlay.of("ScaledObject"):
        if scaled["spec"]["scaleTargetRef"]["name"] == "router":
            lag, pending, bodies = (trigger["metadata"] for trigger in scaled["spec"]["triggers"])
            assert lag["stream"] == pending["stream"] == ready._stream
            assert lag["consumerGroup"] == pending["consumerGroup"] == _GROUP
            assert bodies["listName"] == ready._bodies


def _exported(metrics: ModuleType) -> set[str]:
    return {
        f"{name}{suffix}"
        for each in vars(metrics).values()
        if (name := getattr(each, "_name", None))
        for suffix in ("", "_sum", "_count", "_total")
    }


def test_what_every_replica_tells_is_never_summed() -> None:
    """Each synthesizer counts the batches of all: whatever asks for those counts takes the largest."""
    for file in (*K8S.rglob("*.yaml"), *K8S.rglob("*.yml"), *K8S.rglob("dashboards/*.json")):
        asked = re.findall(r"(\w*)\(?scintiflow_synthesizer_(?:scans_left|batches)\b", file.read_text())
        assert set(asked) <= {"max"}, file


def test_engines_are_built_of_every_model(overlay: Overlay) -> None:
    """Where engines are built before a classifier starts, they are those of all classifiers that ship."""
    for container in pod(overlay.workloads["classifier"]).get("initContainers", ()):
        assert container["command"][:3] == ["scintiflow", "models", "build"]
        assert set(container["command"][3:]) == shipped()


def shipped() -> set[str]:
    """Return the classifiers that ship."""
    return {manifest.parent.name for manifest in (ROOT / "models").glob("*/manifest.toml")} - {"generator"}


def test_one_synthesizer_runs_or_as_many_as_keda_says(overlay: Overlay) -> None:
    """It has one replica where nothing scales it; replicas of two generators never run side by side."""
    scaled = [each for each in overlay.of("ScaledObject") if each["spec"]["scaleTargetRef"]["name"] == "synthesizer"]
    synthesizer = overlay.workloads["synthesizer"]["spec"]
    assert synthesizer.get("replicas", "KEDA's") == ("KEDA's" if scaled else 1)
    assert synthesizer["strategy"] == {"type": "Recreate"}


def test_the_readme_shows_what_single_node_comes_to(kubectl: str) -> None:
    """Under "See that it works" stands every deployment of `single-node`, with all of its replicas ready."""
    shown = re.findall(r"^(\w+) +(\d+)/(\d+) +(\d+) +(\d+)$", (K8S / "README.md").read_text(), re.MULTILINE)
    deployments = render("single-node", kubectl).of("Deployment")
    assert {name: {int(count) for count in counts} for name, *counts in shown} == {
        each["metadata"]["name"]: {each["spec"]["replicas"]} for each in deployments
    }


def test_the_site_as_shipped_lets_nobody_in(overlay: Overlay, tmp_path: Path) -> None:
    """The configuration that is deployed by default is sound, allows nobody and sends nowhere, and shows how to."""
    file = tmp_path / "scintiflow.toml"
    file.write_text(overlay.settings("site")["scintiflow.toml"])
    assert read_configuration(file) == read_configuration(tmp_path / "missing.toml")
    file.write_text(re.sub(r"^# ?(?=\[|\w+ = )", "", file.read_text(), flags=re.MULTILINE))
    shown = read_configuration(file)
    assert shown.allow
    assert shown.destinations


def test_every_skipped_policy_has_a_reason() -> None:
    """Each of checkov's policies that is left out says why, beside it."""
    skipped = [line for line in (K8S / "checkov.yaml").read_text().splitlines() if "CKV" in line]
    assert skipped
    for line in skipped:
        assert re.fullmatch(r"  - CKV2?_(K8S|DOCKER)_\d+ # .{20,}", line), line


def test_make_builds_every_image() -> None:
    """`make images` makes all that run, and no stage that only others stand on."""
    (said,) = re.findall(r"^IMAGES \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(said.split()) == FINAL


def test_make_builds_images_with_docker() -> None:
    """`make images` without an engine named asks docker to build each target."""
    asked = {name: value for name, value in os.environ.items() if name not in ("ENGINE", "MAKEFLAGS")}
    told = subprocess.run(["make", "-n", "images"], cwd=ROOT, env=asked, capture_output=True, text=True, check=True)
    assert "docker build --target" in told.stdout


@pytest.mark.parametrize("final", sorted(FINAL))
def test_an_image_runs_as_nobody_and_installs_nothing(final: str) -> None:
    """A final stage runs nothing when it is made, and runs as a user who is not root."""
    stage = stages()[final]
    assert stage.last("USER") == "65532:65532"
    assert not [said for name, said in stage.all if name == "RUN"]
