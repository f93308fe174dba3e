"""What somebody asks for, held to what the generator has learnt."""

import json
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from scintiflow.errors import Refused
from scintiflow.inference.generator_manifest import Choice, GeneratorManifest, Number

Label = Literal["normal", "bone_metastases", "cardiac_uptake", "both"]
FormatName = Literal["dicom", "npz", "png"]

LARGEST_SEED = (1 << 32) - 1
UPTAKE = 2
"""Perugini grade from which on cardiac uptake is called so."""

_LONGEST_QUOTE = 40


class Wanted(BaseModel):
    """A request for `count` scans, whatever the generator; `form` holds it to one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Label
    count: int
    seed: int | None = None
    load: float | None = None
    perugini: int | None = None
    tracer: str | None = None
    scanner: str | None = None
    sex: str | None = None
    counts: int | None = None
    format: FormatName = "dicom"

    @property
    def metastatic(self) -> bool:
        """Whether these scans have bone metastases."""
        return self.label in ("bone_metastases", "both")

    @property
    def cardiac(self) -> bool:
        """Whether these scans have cardiac uptake."""
        return self.label in ("cardiac_uptake", "both")

    @model_validator(mode="after")
    def _agrees(self) -> "Wanted":
        if self.load is not None and not self.metastatic:
            raise ValueError(
                "load: only scans with metastases have one; ask for bone_metastases or both, or leave it out"
            )
        if self.perugini is not None and (self.perugini >= UPTAKE) != self.cardiac:
            raise ValueError(
                "perugini: grades 2 and 3 are of scans with cardiac uptake, 0 and 1 of those without; "
                "change the label, or leave the grade out"
            )
        return self


@cache
def form(manifest: GeneratorManifest, *, most: int) -> type[Wanted]:
    """Return the form of requests for at most `most` scans; the description of each field says what it may hold."""
    low, usual, high = manifest.counts
    fields: dict[str, Any] = {
        "label": (Label, Field(description=_one_of(get_args(Label)))),
        "count": (int, Field(ge=1, le=most, description=f"a whole number from 1 to {most}")),
        "seed": (
            int | None,
            Field(
                None, ge=0, le=LARGEST_SEED, description=f"a whole number from 0 to {LARGEST_SEED}; else one is drawn"
            ),
        ),
        "counts": (
            int | None,
            Field(None, ge=low, le=high, description=f"mean counts of a view, {low} to {high}; {usual} are usual"),
        ),
        "format": (FormatName, Field("dicom", description=_one_of(get_args(FormatName)))),
    }
    for name in ("load", "perugini", "tracer", "scanner", "sex"):
        fields[name] = _field(manifest, name)
    return create_model("Wanted", __base__=Wanted, **fields)


def read(kind: type[Wanted], body: bytes) -> Wanted:
    """Read a request.

    Raises:
        Refused: it breaks a rule; a sentence for each field that does, with what is allowed there.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise Refused(" ".join(dict.fromkeys(_sentence(kind, fault) for fault in faults))) from error


def _field(manifest: GeneratorManifest, name: str) -> tuple[Any, Any]:
    match manifest.condition(name):
        case Number(low=low, high=high, unit=unit):
            return float | None, Field(None, gt=low, le=high, description=f"above {low:g}, at most {high:g} ({unit})")
        case Choice(values=values) if all(value.isdigit() for value in values):
            return Literal[tuple(map(int, values))] | None, Field(None, description=_one_of(values))
        case Choice(values=values):
            return Literal[values] | None, Field(None, description=_one_of(values))
        case _:
            return None, Field(None, description="nothing, because this generator has not learnt it")


def _one_of(values: tuple[str, ...]) -> str:
    return f"one of {', '.join(values)}" if len(values) > 1 else f"{values[0]} only"


def _sentence(kind: type[Wanted], fault: Any) -> str:
    if fault["type"] == "json_invalid":
        return 'The body is not JSON; send for example {"label": "normal", "count": 1}.'
    if not fault["loc"]:
        return f"{fault['msg'].removeprefix('Value error, ')}."
    name = str(fault["loc"][0])
    if name not in kind.model_fields:
        return f"{name[:_LONGEST_QUOTE]}: there is no such field; there are {', '.join(kind.model_fields)}."
    given = "is missing" if fault["type"] == "missing" else f"cannot be {json.dumps(fault['input'])[:_LONGEST_QUOTE]}"
    return f"{name} {given}; allowed: {kind.model_fields[name].description}."
