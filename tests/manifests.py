"""What `kubectl apply -k` sends to a cluster, rendered without one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

K8S = Path(__file__).parents[1] / "k8s"
OVERLAYS = ("single-node", "cpu", "gpu")
TRACED = "single-node and tracing"
"""An overlay of a site's own, which tells spans to a collector."""
_OWN = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: scintiflow
resources: [{k8s}/overlays/single-node]
components: [{k8s}/components/tracing]
"""

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Overlay:
    """One overlay, rendered."""

    name: str
    manifests: tuple[Manifest, ...]

    def of(self, *kinds: str) -> list[Manifest]:
        """Return its manifests of these kinds."""
        return [manifest for manifest in self.manifests if manifest["kind"] in kinds]

    @property
    def workloads(self) -> dict[str, Manifest]:
        """What makes pods, by name."""
        return {manifest["metadata"]["name"]: manifest for manifest in self.of("Deployment", "StatefulSet")}

    def settings(self, name: str) -> dict[str, str]:
        """Return the content of the ConfigMap whose name is generated from `name`."""
        (found,) = (each for each in self.of("ConfigMap") if each["metadata"]["name"].startswith(f"{name}-"))
        return dict(found["data"])


def find_kubectl() -> str:
    """Return where kubectl is, or skip, or fail where SCINTIFLOW_REQUIRE_PEERS=1 asks for all that a test needs.

    Debian's is too old. SCINTIFLOW_WITHOUT_KUBECTL=1 says that it is known to be missing: then nothing is proven of
    overlays, and nothing fails.
    """
    program = shutil.which("kubectl")
    if program is not None:
        return program
    reason = "kubectl is not installed (1.27 or later): nothing is proven of what it would apply."
    if os.environ.get("SCINTIFLOW_REQUIRE_PEERS") == "1" and os.environ.get("SCINTIFLOW_WITHOUT_KUBECTL") != "1":
        pytest.fail(f"{reason} Install it, or set SCINTIFLOW_WITHOUT_KUBECTL=1.")
    pytest.skip(reason)


@cache
def render(overlay: str, kubectl: str) -> Overlay:
    """Render one overlay as `kubectl apply -k` does."""
    if overlay != TRACED:
        return Overlay(overlay, _rendered(K8S / "overlays" / overlay, kubectl))
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder).resolve()
        (own / "kustomization.yaml").write_text(_OWN.format(k8s=os.path.relpath(K8S.resolve(), own)))
        return Overlay(overlay, _rendered(own, kubectl))


def _rendered(folder: Path, kubectl: str) -> tuple[Manifest, ...]:
    command = [kubectl, "kustomize", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr, ran.stderr
    return tuple(yaml.load_all(ran.stdout, yaml.CSafeLoader))


def pod(workload: Manifest) -> Manifest:
    """Return what a workload says of its pods."""
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def containers(workload: Manifest) -> Iterator[Manifest]:
    """Yield every container of a workload, those that come first too."""
    yield from pod(workload).get("initContainers", ())
    yield from pod(workload)["containers"]


def selects(selector: Manifest, labels: Manifest) -> bool:
    """Tell whether a label selector (matchLabels, matchExpressions with In) takes something with these labels."""
    wanted = {key: [value] for key, value in selector.get("matchLabels", {}).items()}
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] == "In"
        wanted[each["key"]] = each["values"]
    return all(labels.get(key) in values for key, values in wanted.items())
