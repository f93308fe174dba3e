"""The service's own OpenAPI description; BentoML's leaves out mounted routes."""

from typing import Any

import scintiflow
from scintiflow.inference.generator_manifest import GeneratorManifest
from scintiflow.synthesizer.collection import MOST
from scintiflow.synthesizer.generation import AT_ONCE
from scintiflow.synthesizer.item import NOTICE
from scintiflow.synthesizer.wanted import Wanted, form

_JSON, _ZIP = "application/json", "application/zip"
_FEW = {
    "metastases": {"label": "bone_metastases", "count": 4, "seed": 1, "load": 2.5},
    "cardiac uptake": {"label": "cardiac_uptake", "count": 1, "perugini": 3, "format": "png"},
    "few counts": {"label": "normal", "count": 8, "counts": 300_000, "format": "npz"},
}
_MANY = {"metastases": {"label": "bone_metastases", "count": 10_000, "seed": 7}}


def document(manifest: GeneratorManifest | None) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document; without a manifest, while the generator is being loaded, it states no ranges."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "scintiflow synthesizer",
            "version": scintiflow.__version__,
            "description": f"Labelled synthetic whole-body bone scans. {NOTICE}.",
        },
        "paths": {"/v1/generate": {"post": _generate()}, **_batches(), **_probes()},
        "components": {
            "schemas": {
                "Few": _form(manifest, AT_ONCE),
                "Many": _form(manifest, MOST),
                "Batch": _batch(),
                "Error": {"type": "object", "properties": {"error": {"type": "string"}}},
            }
        },
    }


def _generate() -> dict[str, Any]:
    return {
        "summary": f"Make at most {AT_ONCE} scans at once; the same request with a seed makes the same scans.",
        "requestBody": _body("Few", _FEW),
        "responses": {
            "200": _archive("The scans, labels.csv and labels.json."),
            "422": _error("A field is wrong; the sentence names it, and what is allowed there."),
            "429": _error("Too many scans are being made; Retry-After says when to ask again."),
            "500": _error("The generator gave something that is no scan."),
            "503": _error("The generator is not ready, or time is up."),
        },
    }


def _batches() -> dict[str, Any]:
    unknown = {"404": _error("There is no such batch.")}
    named = {"parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]}
    return {
        "/v1/batches": {
            "post": {
                "summary": "Ask for any number of scans; they are made in the background, also after a restart.",
                "requestBody": _body("Many", _MANY),
                "responses": {
                    "202": _says("It is written down; Location is where it stands.", _ref("Batch")),
                    "413": _error("It would take more of the disk than a batch may."),
                    "422": _error("A field is wrong; the sentence names it, and what is allowed there."),
                    "429": _error("Too many batches are unfinished; Retry-After says when to ask again."),
                    "503": _error("The generator is not ready, or the disk failed."),
                    "507": _error("The disk has no room for it."),
                },
            },
            "get": {
                "summary": "List the batches, oldest first.",
                "responses": {"200": _says("All of them.", {"type": "array", "items": _ref("Batch")})},
            },
        },
        "/v1/batches/{id}": {
            **named,
            "get": {
                "summary": "How far a batch has come.",
                "responses": {"200": _says("State, progress, rate and time left.", _ref("Batch")), **unknown},
            },
            "delete": {
                "summary": "Cancel a batch, and remove what is made of it.",
                "responses": {"204": {"description": "It is gone."}, **unknown},
            },
        },
        "/v1/batches/{id}/archive": {
            **named,
            "get": {
                "summary": "Fetch a finished batch.",
                "responses": {
                    "200": _archive("The scans, labels.csv and labels.json, as a stream."),
                    "409": _error("It is not finished yet."),
                    **unknown,
                },
            },
        },
    }


def _probes() -> dict[str, Any]:
    ready = {"ready": {"type": "boolean"}, "reason": {"type": ["string", "null"]}}
    text = {"200": {"description": "Text.", "content": {"text/plain": {}}}}
    return {
        "/livez": _get("The process runs.", {"200": _says("Always.", _object({"alive": {"type": "boolean"}}))}),
        "/readyz": _get(
            "The generator drew its golden scans.",
            {"200": _says("Yes.", _object(ready)), "503": _says("Not yet.", _object(ready))},
        ),
        "/metrics": _get("Prometheus metrics.", text),
        "/openapi.json": _get("This document.", {"200": _says("Always.", _object({}))}),
    }


def _form(manifest: GeneratorManifest | None, most: int) -> dict[str, Any]:
    return (form(manifest, most=most) if manifest else Wanted).model_json_schema()


def _batch() -> dict[str, Any]:
    text, number, maybe = {"type": "string"}, {"type": "number"}, {"type": ["number", "null"]}
    return _object(
        {
            "id": text,
            "state": {"enum": ["queued", "running", "waiting", "failed", "done"]},
            "reason": {"type": ["string", "null"], "description": "Why it waits or failed."},
            "count": {"type": "integer"},
            "done": {"type": "integer", "description": "Scans on the disk."},
            "scans_a_second": maybe,
            "seconds_left": maybe,
            "asked_at": number,
            "expires_at": maybe,
            "request": _ref("Many"),
            "archive": text,
        }
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _says(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _error(description: str) -> dict[str, Any]:
    return _says(description, _ref("Error"))


def _archive(description: str) -> dict[str, Any]:
    return {"description": description, "content": {_ZIP: {"schema": {"type": "string", "format": "binary"}}}}


def _body(schema: str, examples: dict[str, Any]) -> dict[str, Any]:
    told = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {_JSON: {"schema": _ref(schema), "examples": told}}}


def _get(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": responses}}
