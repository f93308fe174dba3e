"""What would be applied is what Kubernetes, KEDA and the Prometheus operator know."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from referencing import Registry, Resource

from tests.manifests import Manifest, Overlay

VERSIONS = ("1.33", "1.35", "1.37")
MODELS: dict[str, type[BaseModel]] = {
    "ScaledObject": ScaledObject,
    "ServiceMonitor": ServiceMonitor,
    "PrometheusRule": PrometheusRule,
}
"""Kinds that Kubernetes itself does not know."""


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(overlay: Overlay, version: str) -> None:
    """Every manifest keeps the strict schema of its kind; a kind without one, as of a removed API, fails."""
    for manifest in overlay.manifests:
        if manifest["kind"] not in MODELS:
            validate(json.dumps(manifest), version)


def test_a_field_that_kubernetes_does_not_know_is_found(overlay: Overlay) -> None:
    """The same schemas refuse a typo, and have none for an API that was removed."""
    (namespace,) = overlay.of("Namespace")
    with pytest.raises(Exception, match="labelz"):
        validate(json.dumps(namespace | {"labelz": {}}), VERSIONS[0])
    with pytest.raises(FileNotFoundError):
        validate(json.dumps({"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler"}), VERSIONS[0])


def test_operators_know_every_field(overlay: Overlay) -> None:
    """Objects of KEDA and of the Prometheus operator come back from their models as they went in, nothing dropped."""
    for manifest in overlay.of(*MODELS):
        read = MODELS[manifest["kind"]].model_validate(manifest)
        assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest


def test_nothing_is_applied_twice(overlay: Overlay) -> None:
    """A kind and a name stand for one thing, and everything but the namespace is in the namespace."""
    names = [(each["kind"], each["metadata"]["name"]) for each in overlay.manifests]
    assert len(names) == len(set(names))
    assert {each["metadata"].get("namespace") for each in overlay.manifests if each["kind"] != "Namespace"} == {
        "scintiflow"
    }


@cache
def validate(manifest: str, version: str) -> None:
    """Hold a manifest (JSON) to a strict schema as `kubernetes-validate --strict` does, whose schemas these are.

    Its own function reads all definitions anew for each manifest, and overlays have most manifests in common.

    Raises:
        ValidationError: a field is unknown, missing, or of the wrong type.
        FileNotFoundError: this version does not know the kind.
    """
    said: Manifest = json.loads(manifest)
    group, _, api = said["apiVersion"].rpartition("/")
    name = "-".join(part for part in (said["kind"].lower(), group.partition(".")[0], api) if part)
    Draft202012Validator(schema(version, name), registry=definitions(version)).validate(said)


def schema(version: str, name: str) -> Any:
    """Read one of kubernetes-validate's strict schemas."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    return json.loads((folder / f"{name}.json").read_text())


@cache
def definitions(version: str) -> "Registry[Any]":
    """Return what the schemas of a version refer to."""
    return (Resource.from_contents(schema(version, "_definitions")) @ Registry()).crawl()
