"""Pods on this machine: what an overlay says, played by podman."""

import copy
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.manifests import Manifest, Overlay, pod
from tests.waiting import wait_for

ROOT = Path(__file__).parents[1]
NETWORK = "scintiflow-pods"
_ENVIRONMENT = os.environ | {"CONTAINERS_CONF": str(ROOT / "tests/pods/containers.conf")}


def podman(*arguments: str, given: str | None = None, seconds: float = 120) -> str:
    """Run podman and return what it says; an error fails the test with what podman says of it."""
    ran = subprocess.run(
        ["podman", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env=_ENVIRONMENT,
        cwd=ROOT,
        timeout=seconds,
    )
    assert ran.returncode == 0, f"podman {' '.join(arguments)}:\n{ran.stdout[-2000:]}{ran.stderr[-4000:]}"
    return ran.stdout.strip()


def why_not(*images: str) -> str | None:
    """Return what keeps podman from running pods on these images here, or None."""
    if shutil.which("podman") is None:
        return "podman is not installed."
    try:
        podman("run", "--rm", "--pull=never", "--network=none", images[0], "true")
        for image in images:
            podman("image", "inspect", image)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return f"podman cannot run here, or has no base image: {error}"
    return None


def build(target: str, tag: str, wheels: Path = ROOT / "build/wheels") -> int:
    """Build one target on the local base from local wheels, without a network; return the image's size in bytes."""
    inside = [f"--volume={wheels}:/wheels:ro", f"--volume={wheels / 'pip.conf'}:/etc/pip.conf:ro"]
    options = ["--format=docker", "--pull=never", "--network=none", f"--target={target}", f"--tag={tag}"]
    podman("build", *options, *inside, ".", seconds=3600)
    return int(podman("image", "inspect", "--format={{.Size}}", tag))


@dataclass
class Pods:
    """An overlay that plays; each process is one pod, and the network knows it by its name."""

    overlay: Overlay
    site: str
    ports: dict[str, int]
    """Where this machine reaches a port of a pod, by "process.port"."""
    environment: dict[str, str] = field(default_factory=dict)
    """What all processes are told otherwise than the overlay says."""
    played: dict[str, str] = field(default_factory=dict)

    def play(self, *names: str) -> None:
        """Start these processes."""
        for name in names:
            self.played[name] = yaml.safe_dump_all(self._manifests(name))
            podman("kube", "play", f"--network={NETWORK}:alias={name}", "-", given=self.played[name], seconds=300)

    def stop(self) -> None:
        """End all of them, and forget what they kept."""
        for manifests in self.played.values():
            with suppress(AssertionError):
                podman("kube", "down", "-", given=manifests, seconds=300)
        kept = (*self.overlay.of("ConfigMap", "PersistentVolumeClaim"), *self._claims())
        for name in _volumes() & {each["metadata"]["name"] for each in kept}:
            podman("volume", "rm", "--force", name)

    def inside(self, name: str, *command: str) -> str:
        """Run a command in a process's container."""
        return podman("exec", container_of(name), *command)

    def kill(self, name: str) -> None:
        """Kill -9 a process; podman starts its container again, as a kubelet would."""
        pid = wait_for(lambda: facts(name)["State"]["Pid"], every=1)  # 0 while it starts: that would be all of us
        os.kill(pid, signal.SIGKILL)

    def restart(self, name: str, grace: int) -> None:
        """Ask a process to end, wait so long for it, and start it again."""
        podman("stop", f"--time={grace}", container_of(name), seconds=grace + 60)
        podman("start", container_of(name), seconds=300)

    def gateway(self) -> str:
        """Return where pods find this machine."""
        return podman("network", "inspect", "--format={{(index .Subnets 0).Gateway}}", NETWORK)

    def _claims(self) -> list[Manifest]:
        return [
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim}
            for each in self.overlay.of("StatefulSet")
            for claim in each["spec"]["volumeClaimTemplates"]
        ]

    def _manifests(self, name: str) -> list[Manifest]:
        """Return what podman plays for a process, in the forms that it knows."""
        workload = copy.deepcopy(self.overlay.workloads[name])
        workload["spec"]["replicas"] = 1
        if claims := workload["spec"].pop("volumeClaimTemplates", []):
            workload["kind"] = "Deployment"  # podman knows no StatefulSet
            pod(workload).setdefault("volumes", []).extend(
                {"name": each["metadata"]["name"], "persistentVolumeClaim": {"claimName": each["metadata"]["name"]}}
                for each in claims
            )
        self._publish(name, pod(workload)["containers"][0])
        for mount in pod(workload)["containers"][0]["volumeMounts"]:
            _widen(mount)
        return [*map(self._configured, self.overlay.of("ConfigMap")), *self._new_claims(name), workload]

    def _publish(self, name: str, container: Manifest) -> None:
        """Let this machine reach the ports that a test asked for, and no others: podman would publish them all."""
        container["imagePullPolicy"] = "Never"
        container["ports"] = [
            port | {"hostPort": self.ports[f"{name}.{port['name']}"], "hostIP": "127.0.0.1"}
            for port in container["ports"]
            if f"{name}.{port['name']}" in self.ports
        ]

    def _configured(self, configuration: Manifest) -> Manifest:
        changed = copy.deepcopy(configuration)
        if "scintiflow.toml" in changed["data"]:
            changed["data"]["scintiflow.toml"] = self.site
        else:
            changed["data"] |= self.environment
        return changed

    def _new_claims(self, name: str) -> list[Manifest]:
        """Return the volumes that nobody has made yet: podman refuses to make one twice."""
        workload = self.overlay.workloads[name]
        used = {each["persistentVolumeClaim"]["claimName"] for each in _claimed(pod(workload))}
        used |= {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", ())}
        claims = (*self.overlay.of("PersistentVolumeClaim"), *self._claims())
        return [each for each in claims if each["metadata"]["name"] in used - _volumes()]


def _widen(mount: Manifest) -> None:
    """Mount all of a volume where a manifest wants a folder of it, which podman knows since 4.4: paths are the same."""
    if folder := mount.pop("subPath", None):
        mount["mountPath"] = mount["mountPath"].removesuffix(f"/{folder}")


def _claimed(spec: Manifest) -> list[Manifest]:
    return [volume for volume in spec.get("volumes", ()) if "persistentVolumeClaim" in volume]


def _volumes() -> set[str]:
    return set(podman("volume", "ls", "--format={{.Name}}").split())


def container_of(name: str) -> str:
    """Return the container of a process, whose pod has a number before podman 5 and none since."""
    names = podman("ps", "--all", "--format={{.Names}}").split()
    (found,) = set(names) & {f"{name}-pod-{name}", f"{name}-pod-0-{name}"}
    return found


@contextmanager
def network() -> Iterator[None]:
    """A network of pods, which knows them by name."""
    podman("network", "create", NETWORK)
    try:
        yield
    finally:
        podman("network", "rm", "--force", NETWORK)


def facts(name: str) -> Any:
    """Return what podman knows of a process's container."""
    return json.loads(podman("inspect", container_of(name)))[0]
