"""What a generator's manifest vouches for, and how its conditions become numbers."""

from pathlib import Path

import numpy as np
import pytest

from scintiflow.errors import Refused
from scintiflow.inference.generator_manifest import GeneratorManifest, Number, load_generator
from tests.graphs import SLOTS, generator_folder


@pytest.fixture
def manifest(tmp_path: Path) -> GeneratorManifest:
    """The manifest of the generator for tests."""
    generator_folder(tmp_path)
    return load_generator(tmp_path)


def test_what_is_said_and_what_is_open_are_told_apart(manifest: GeneratorManifest) -> None:
    """Flags, numbers on their scale and one-hot choices fill their slots; what is left open is zero and unknown."""
    condition, known = manifest.encode({"metastatic": True, "load": 20.0, "perugini": 2, "sex": "M"})
    np.testing.assert_allclose(condition, [1, 0, 1, 0, 0, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(known, [1, 0, 1, 1, 1, 1, 1, 0, 1, 1])
    condition, known = manifest.encode({})
    assert not condition.any()
    assert not known.any()
    assert len(condition) == len(known) == manifest.slots == SLOTS


def test_a_logarithmic_scale_gives_small_loads_room(manifest: GeneratorManifest) -> None:
    """A load of one percent, of twenty at most, is a good fifth of the way, and none is zero."""
    assert manifest.encode({"load": 0.0})[0][2] == 0
    assert manifest.encode({"load": 1.0})[0][2] == pytest.approx(np.log(2) / np.log(21))


def test_loads_are_drawn_as_they_were_seen(manifest: GeneratorManifest) -> None:
    """Half of the loads drawn are below the median of the scans that have any, and none is out of range."""
    load = manifest.condition("load")
    assert isinstance(load, Number)
    random = np.random.default_rng(1)
    drawn = np.array([load.draw(random) for _ in range(2000)])
    assert drawn.min() >= 0.1
    assert drawn.max() <= 9
    assert np.mean(drawn < 1.1) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("counts = [150000, 600000, 3000000]", "counts = [900000, 600000, 3000000]", "counts are lowest"),
        ("low = 0.0", "low = 30.0", "condition.2"),
        ('name = "cardiac"', 'name = "metastatic"', "a name of its own"),
        ('kind = "choice"', 'kind = "colour"', "condition.3"),
        ("rows = 4", "rows = 0", "engine.rows"),
        ('guard = "guard.npz"', 'guard = "../guard.npz"', "guard"),
        ('kind = "generator"', 'kind = "classifier"', "kind"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, place: str) -> None:
    """Every broken rule is told with where it stands."""
    path = generator_folder(tmp_path) / "manifest.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(Refused, match=rf"generator/manifest.toml: .*{place}"):
        load_generator(tmp_path)


def test_where_there_is_none_the_folder_is_named(tmp_path: Path) -> None:
    """A models folder without a generator is told with the place to put one."""
    with pytest.raises(Refused, match=f"no generator in {tmp_path}/generator"):
        load_generator(tmp_path)
