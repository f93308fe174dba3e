"""What running a served generator promises."""

from pathlib import Path

import numpy as np
import pytest

from scintiflow.errors import Refused
from scintilab.studies.shipped import Shipped, shipped
from tests.graphs import SLOTS
from tests.unit.scintilab.studies.painter import labels
from tests.unit.scintilab.studies.served import serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A served graph that writes its inputs into its outputs."""
    return serve(tmp_path)


@pytest.fixture
def generator(folder: Path) -> Shipped:
    """It, opened."""
    return shipped(folder)


def test_conditions_fill_their_slots(generator: Shipped) -> None:
    """Flags are 0 or 1, the load lies between 0 and 1 by its logarithm, and a choice has a slot for each value."""
    asked = labels(6, 2)
    slots = generator.samples(1, 0, asked)[:, 0].reshape(6, -1)[:, :SLOTS]
    assert np.array_equal(slots[:, 0], asked.metastatic)
    assert np.array_equal(slots[:, 1], asked.cardiac)
    assert slots[:, 2] == pytest.approx(np.log1p(asked.load) / np.log1p(20))
    assert np.array_equal(slots[:, 3:7].argmax(1), asked.perugini)
    assert np.array_equal(slots[:, 8] == 1, asked.sex == "F")
    assert (slots[:, 3:].sum(1) == 3).all()


def test_scan_depends_on_seed_and_number_alone(generator: Shipped) -> None:
    """The third scan of a batch is the same asked by itself, and another seed gives another."""
    asked = labels(4, 2)
    whole = generator.samples(1, 0, asked)
    assert np.array_equal(generator.samples(1, 2, asked.part(slice(2, 3))), whole[2:3])
    assert not np.array_equal(generator.samples(2, 2, asked.part(slice(2, 3))), whole[2:3])
    assert not np.array_equal(whole[0, 1], whole[1, 1])


def test_what_was_not_learnt_is_refused(generator: Shipped) -> None:
    """A tracer that the generator does not know is refused with those that it does."""
    asked = labels(2)
    with pytest.raises(Refused, match="has learnt tracer DPD alone"):
        generator.samples(1, 0, asked._replace(tracer=np.full(2, "MDP")))


def test_other_graph_than_the_manifests_is_refused(folder: Path) -> None:
    """Weights that changed after the manifest was written, or no folder at all, are no generator."""
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(Refused, match="differs from the digest in its manifest"):
        shipped(folder)
    with pytest.raises(Refused, match="holds no generator"):
        shipped(folder / "elsewhere")
