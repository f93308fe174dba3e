"""One scan of a request: its streams, its conditions, its labels."""

from pathlib import Path

import numpy as np
import pytest

from scintiflow.inference.generator_manifest import GeneratorManifest
from tests.unit.synthesizer.items import item, manifest_in


@pytest.fixture
def manifest(tmp_path: Path) -> GeneratorManifest:
    """The manifest of the generator for tests."""
    return manifest_in(tmp_path)


def test_each_factor_of_each_scan_has_a_stream_of_its_own() -> None:
    """Another seed, index, attempt or factor draws other numbers; the same four draw the same."""
    one = item(3, seed=5)
    streams = [
        one.stream("noise"),
        one.stream("counts"),
        one.again().stream("noise"),
        item(4, seed=5).stream("noise"),
        item(3, seed=6).stream("noise"),
    ]
    drawn = [tuple(stream.random(4)) for stream in streams]
    assert len(set(drawn)) == len(drawn)
    assert tuple(item(3, seed=5).stream("noise").random(4)) == drawn[0]


def test_noise_is_standard_normal() -> None:
    """The latent noise of many scans has mean 0 and standard deviation 1."""
    noise = np.stack([item(index).noise(64) for index in range(500)])
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02


@pytest.mark.parametrize(
    ("label", "metastatic", "cardiac"),
    [("normal", 0, 0), ("bone_metastases", 1, 0), ("cardiac_uptake", 0, 1), ("both", 1, 1)],
)
def test_what_is_drawn_fits_the_label(manifest: GeneratorManifest, label: str, metastatic: int, cardiac: int) -> None:
    """Only scans with metastases have a load, and only those with cardiac uptake a grade of 2 or 3."""
    said = [item(index, label=label).said(manifest) for index in range(40)]
    assert {(one["metastatic"], one["cardiac"]) for one in said} == {(bool(metastatic), bool(cardiac))}
    assert {one["load"] > 0 for one in said} == {bool(metastatic)}
    assert {one["perugini"] for one in said} == ({2, 3} if cardiac else {0, 1})
    assert len({one["load"] for one in said}) > (20 if metastatic else 0)


def test_what_is_asked_for_is_not_drawn(manifest: GeneratorManifest) -> None:
    """A load and a grade that were asked for are those of every scan, and nothing else is shifted by that."""
    wanted, left_open = item(load=2.5, perugini=3, sex="F"), item()
    assert wanted.said(manifest) == {
        "metastatic": True, "cardiac": True, "load": 2.5, "perugini": 3, "sex": "F",
    }  # fmt: skip
    np.testing.assert_array_equal(wanted.noise(8), left_open.noise(8))


def test_labels_say_what_the_scan_is_and_what_made_it(manifest: GeneratorManifest) -> None:
    """Labels hold index, seed, conditions, counts, the model with its digest, and that nobody was scanned."""
    labels = item(7, seed=9, label="bone_metastases", load=1.5, tracer="DPD").labels(manifest)
    assert {name: labels[name] for name in ("index", "seed", "label", "load", "tracer", "sex", "counts")} == {
        "index": 7, "seed": 9, "label": "bone_metastases", "load": 1.5, "tracer": "DPD", "sex": None, "counts": 600_000,
    }  # fmt: skip
    assert (labels["model"], labels["version"], labels["digest"]) == ("generator", "0.1.0", manifest.digest)
    assert (labels["synthetic"], labels["evidence"]) == (True, "simulated patients")
    assert labels["notice"] == "AI result, not for diagnostic use, research only"
