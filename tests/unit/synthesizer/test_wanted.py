"""What may be asked of a generator."""

import json
from pathlib import Path
from typing import Any

import pytest

from scintiflow.errors import Refused
from scintiflow.inference.generator_manifest import load_generator
from scintiflow.synthesizer.wanted import Wanted, form, read
from tests.graphs import generator_folder


@pytest.fixture(scope="module")
def kind(tmp_path_factory: pytest.TempPathFactory) -> type[Wanted]:
    """The form of the generator for tests."""
    models: Path = tmp_path_factory.mktemp("models")
    generator_folder(models)
    return form(load_generator(models), most=64)


def asked(kind: type[Wanted], **fields: Any) -> Wanted:
    """Read a request for one scan without disease, with these fields besides."""
    return read(kind, json.dumps({"label": "normal", "count": 1} | fields).encode())


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"count": 65}, "count cannot be 65; allowed: a whole number from 1 to 64."),
        ({"count": 0}, "count cannot be 0; allowed: a whole number from 1 to 64."),
        ({"count": "many"}, 'count cannot be "many"; allowed: a whole number from 1 to 64.'),
        ({"label": "sick"}, 'label cannot be "sick"; allowed: one of normal, bone_metastases, cardiac_uptake, both.'),
        ({"counts": 9}, "counts cannot be 9; allowed: mean counts of a view, 150000 to 3000000; 600000 are usual."),
        ({"tracer": "FDG"}, 'tracer cannot be "FDG"; allowed: DPD only.'),
        ({"sex": "X"}, 'sex cannot be "X"; allowed: one of F, M.'),
        ({"scanner": "Symbia"}, "scanner cannot be .*; allowed: nothing, because this generator has not learnt it."),
        ({"perugini": 4}, "perugini cannot be 4; allowed: one of 0, 1, 2, 3."),
        ({"format": "jpeg"}, 'format cannot be "jpeg"; allowed: one of dicom, npz, png.'),
        ({"seed": -1}, "seed cannot be -1; allowed: a whole number from 0 to 4294967295; else one is drawn."),
        ({"colour": "red"}, "colour: there is no such field; there are label, count, "),
        ({"load": 2}, "load: only scans with metastases have one; ask for bone_metastases or both, or leave it out."),
        ({"label": "both", "load": 0}, r"load cannot be 0; allowed: above 0, at most 20 \(percent of skeletal mass"),
        ({"perugini": 3}, "perugini: grades 2 and 3 are of scans with cardiac uptake"),
        ({"label": "cardiac_uptake", "perugini": 0}, "perugini: grades 2 and 3 are of scans with cardiac uptake"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(kind: type[Wanted], fields: dict[str, Any], sentence: str) -> None:
    """Each fault names its field, what was said, and what may be."""
    with pytest.raises(Refused, match=sentence):
        asked(kind, **fields)


def test_every_fault_is_told_at_once(kind: type[Wanted]) -> None:
    """Two wrong fields and a missing one give three sentences."""
    with pytest.raises(Refused, match=r"label is missing; .*count cannot be 0; .*sex cannot be"):
        read(kind, b'{"count": 0, "sex": "?"}')


def test_a_body_that_is_no_json_is_told_what_to_send(kind: type[Wanted]) -> None:
    """Half a request is answered with a whole one as an example."""
    with pytest.raises(Refused, match=r"send for example \{"):
        read(kind, b'{"label"')


def test_what_is_sound_is_read(kind: type[Wanted]) -> None:
    """A full request says what it said; what was left out stays open."""
    wanted = asked(kind, label="both", load=2.5, perugini=3, sex="M", counts=300_000, seed=0, format="png")
    assert (wanted.metastatic, wanted.cardiac, wanted.load, wanted.perugini) == (True, True, 2.5, 3)
    assert (wanted.seed, wanted.tracer, wanted.format) == (0, None, "png")
