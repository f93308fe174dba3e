"""The service's own OpenAPI description; BentoML's leaves out mounted routes."""

from typing import Any

import scintiflow

_JSON = "application/json"
_BINARY = "application/octet-stream"
_NUMBERS = {"type": "array", "items": {"type": "number"}}


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of everything that the classifier answers."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "scintiflow classifier",
            "version": scintiflow.__version__,
            "description": "Classifiers for whole-body bone scans. AI result, not for diagnostic use, research only.",
        },
        "paths": {**_own_paths(), **_protocol_paths()},
        "components": {"schemas": _schemas()},
    }


def _own_paths() -> dict[str, Any]:
    return {
        "/classify": {
            "post": {
                "summary": "Read one DICOM file with every model.",
                "requestBody": _body({"application/dicom": {"schema": {"type": "string", "format": "binary"}}}),
                "responses": {
                    "200": _says("What the models found.", _ref("Classification")),
                    "408": _error("The file did not come in time."),
                    "413": _error("The file is too large."),
                    "422": _error("The file is not for us, or cannot be read; the sentence says why."),
                    "503": _error("No model is ready, or too much waits."),
                },
            }
        },
        "/livez": {"get": _get("The process runs.", {"alive": {"type": "boolean"}})},
        "/readyz": {
            "get": _get(
                "Every model answered its golden scans.",
                {"ready": {"type": "boolean"}, "reason": {"type": ["string", "null"]}},
                unready=True,
            )
        },
        "/metrics": {
            "get": {
                "summary": "Prometheus metrics.",
                "responses": {"200": {"description": "Text.", "content": {"text/plain": {}}}},
            }
        },
        "/openapi.json": {"get": _get("This document.", {})},
    }


def _protocol_paths() -> dict[str, Any]:
    """Open Inference Protocol v2; each model also under /versions/{version}."""
    paths: dict[str, Any] = {
        "/v2": {"get": _get("Name, version and extensions.", {"name": {"type": "string"}})},
        "/v2/health/live": {"get": _get("The process runs.", {"live": {"type": "boolean"}})},
        "/v2/health/ready": {
            "get": _get("Every model is ready.", {"ready": {"type": "boolean"}}, unready=True),
        },
        "/v2/repository/index": {
            "post": {
                "summary": "List the models and their states.",
                "responses": {"200": _says("One entry a model.", {"type": "array", "items": _ref("Entry")})},
            }
        },
    }
    for path, names in (("/v2/models/{name}", ["name"]), ("/v2/models/{name}/versions/{version}", ["name", "version"])):
        at = {"parameters": [_path_parameter(name) for name in names]}
        unknown = {"404": _error("No such model or version.")}
        metadata = _get("Tensors, and under parameters what the manifest says and what really runs.", {})
        ready = _get("The model is ready.", {"ready": {"type": "boolean"}}, unready=True)
        paths[path] = {**at, "get": metadata | {"responses": metadata["responses"] | unknown}}
        paths[f"{path}/ready"] = {**at, "get": ready | {"responses": ready["responses"] | unknown}}
        paths[f"{path}/infer"] = {**at, "post": _infer(unknown)}
    return paths


def _infer(unknown: dict[str, Any]) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    response = _says("The wanted outputs.", _ref("InferenceResponse"))
    response["content"][_BINARY] = binary
    return {
        "summary": "Answer one or several scans; JSON, or the binary tensor data extension.",
        "parameters": [
            {
                "name": "Inference-Header-Content-Length",
                "in": "header",
                "description": "Bytes of the JSON header when binary values follow it.",
                "schema": {"type": "integer"},
            }
        ],
        "requestBody": _body({_JSON: {"schema": _ref("InferenceRequest")}, _BINARY: binary}),
        "responses": {
            "200": response,
            "400": _error("The request breaks the protocol; the sentence says where."),
            "408": _error("The body did not come in time."),
            "413": _error("The body is too large."),
            "500": _error("The model gave something that is no finding."),
            "503": _error("The model is not ready, or too much waits; try again later."),
            **unknown,
        },
    }


def _schemas() -> dict[str, Any]:
    text, maybe_text, maybe_number = {"type": "string"}, {"type": ["string", "null"]}, {"type": ["number", "null"]}
    tensor = {
        "name": text,
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"const": "FP32"},
        "parameters": {"type": "object"},
        "data": _NUMBERS,
    }
    return {
        "Error": _object({"error": text}),
        "Entry": _object({"name": text, "version": text, "state": text, "reason": text}),
        "InferenceRequest": _object(
            {
                "id": text,
                "parameters": _object(
                    {
                        "binary_data_output": {"type": "boolean", "default": False},
                        "priority": {
                            "enum": [0, 1, 2],
                            "default": 0,
                            "description": "2 is bulk, behind what somebody waits for; anything else is not.",
                        },
                        "timeout": {
                            "type": "integer",
                            "minimum": 0,
                            "default": 0,
                            "description": "Microseconds after which 503 is said; the service has a bound of its own.",
                        },
                    }
                ),
                "inputs": {"type": "array", "items": _object(tensor)},
                "outputs": {"type": "array", "items": _object({"name": text, "parameters": {"type": "object"}})},
            },
            required=["inputs"],
        ),
        "InferenceResponse": _object(
            {
                "model_name": text,
                "model_version": text,
                "id": text,
                "parameters": _object({"engine": text, "precision": text, "digest": text}),
                "outputs": {"type": "array", "items": _object(tensor)},
            }
        ),
        "View": _object(
            {
                "view": {"enum": ["anterior", "posterior"]},
                "frame": {"type": "integer", "minimum": 1},
                "rule": text,
                "confidence": {"enum": ["high", "low"]},
                "flags": {"type": "array", "items": text},
            }
        ),
        "Finding": _object(
            {
                "model": text,
                "version": maybe_text,
                "digest": maybe_text,
                "status": {"enum": ["assessed", "not_assessed"]},
                "reason": text,
                "label": maybe_text,
                "probability": maybe_number,
                "threshold": maybe_number,
                "positive": {"type": ["boolean", "null"]},
                "engine": maybe_text,
                "precision": maybe_text,
            }
        ),
        "Classification": _object(
            {
                "views": {"type": "array", "items": _ref("View")},
                "notes": {"type": "array", "items": text},
                "findings": {"type": "array", "items": _ref("Finding")},
                "disclaimer": text,
            }
        ),
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _says(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _error(description: str) -> dict[str, Any]:
    return _says(description, _ref("Error"))


def _get(summary: str, properties: dict[str, Any], *, unready: bool = False) -> dict[str, Any]:
    yes = _says("Yes." if unready else "Always.", _object(properties))
    return {
        "summary": summary,
        "responses": {"200": yes, **({"503": _says("Not yet.", _object(properties))} if unready else {})},
    }


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": content}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
