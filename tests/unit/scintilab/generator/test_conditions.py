"""What a generator can be asked for."""

import tomllib

import numpy as np
import pytest

from scintilab.generator.conditions import GRADES, SEXES, Known, conditions, encode, forgotten, without_disease

LOAD = np.array([0, 0, 0.5, 1, 4, 30])
ASKED = conditions(LOAD, ["DPD", "MDP", "DPD"], ["Symbia"])
SLOTS = sum(condition.width for condition in ASKED)


def known(**values: object) -> Known:
    """Conditions of one scan."""
    return encode(ASKED, {name: np.array([value]) for name, value in values.items()}, 1)


def test_manifest_lists_every_condition_in_the_order_of_its_slots() -> None:
    """The tables of the manifest name what the graph takes, with the values that can be asked for."""
    tables = tomllib.loads("\n".join(f"[[condition]]\n{condition.table()}" for condition in ASKED))["condition"]
    assert [table["name"] for table in tables] == [
        "metastatic",
        "cardiac",
        "load",
        "perugini",
        "tracer",
        "scanner",
        "sex",
    ]
    chosen = {table["name"]: tuple(table["values"]) for table in tables if table["kind"] == "choice"}
    assert chosen == {"perugini": GRADES, "tracer": ("DPD", "MDP"), "scanner": ("Symbia",), "sex": SEXES}
    load = tables[2]
    assert (load["low"], load["high"]) == (0, 20)
    assert load["drawn_from"] == sorted(load["drawn_from"])
    assert load["drawn_from"][0] == pytest.approx(0.5)
    assert load["drawn_from"][-1] == pytest.approx(30)


def test_load_is_told_on_a_logarithmic_scale() -> None:
    """No load is 0, the most is 1, more than that makes no difference, and small loads are spread apart."""
    told = [float(known(load=load).condition[0, 2]) for load in (0.0, 1.0, 20.0, 35.0)]
    assert told == pytest.approx([0, np.log(2) / np.log(21), 1, 1])


def test_what_is_not_said_is_unknown() -> None:
    """A condition that is missing, empty or not a number has slots of 0 in both vectors."""
    told = known(metastatic=True, load=np.nan, tracer="")
    assert told.known.sum() == 1
    assert told.condition.sum() == 1
    assert told.condition.shape == told.known.shape == (1, SLOTS)


def test_a_choice_fills_one_of_its_slots_and_makes_all_known() -> None:
    """Grade 2 is the third of four slots."""
    told = known(perugini="2")
    assert told.condition[0, 3:7].tolist() == [0, 0, 1, 0]
    assert told.known[0, 3:7].tolist() == [1, 1, 1, 1]


def test_without_disease_everything_else_stays() -> None:
    """A healthy twin has no metastases, no cardiac uptake, no load and grade 0, and the same camera and sex."""
    asked = conditions(np.array([1.0, 2.0]), ["DPD"], ["Symbia"])
    kept, healthy = without_disease(asked)
    assert kept.tolist() == [0] * 7 + [1] * 4
    assert healthy.tolist() == [0, 0, 0, 1] + [0] * 7


def test_forgetting_hides_whole_conditions() -> None:
    """A forgotten condition is unknown in all its slots, and some scans are left with none."""
    everything = encode(
        ASKED,
        {
            "metastatic": np.ones(400, bool),
            "cardiac": np.ones(400, bool),
            "load": np.full(400, 20.0),
            "perugini": np.full(400, "3"),
            "tracer": np.full(400, "MDP"),
            "scanner": np.full(400, "Symbia"),
            "sex": np.full(400, "F"),
        },
        400,
    )
    left = forgotten(ASKED, everything, np.random.default_rng(1), each=0.2, all=0.1)
    assert set(left.known[:, 3:7].sum(axis=1)) == {0, 4}
    assert not left.condition[left.known == 0].any()
    assert 0.05 < (left.known.sum(axis=1) == 0).mean() < 0.2
    assert 0.2 < (left.known[:, 0] == 0).mean() < 0.36
