"""What a simulated patient promises."""

from itertools import product

import numpy as np

from scintilab.phantom.foci import REGIONS, bone_scan_index
from scintilab.phantom.patient import HEALTHY, Disease, draw_disease, draw_patient
from scintilab.phantom.skeleton import kind
from scintilab.phantom.streams import stream
from scintilab.phantom.template import template


def test_patients_can_be_drawn_again() -> None:
    """The same seed, site and number give the same patient; another number, site or seed another one."""
    one, again = (draw_patient(7, "A", 5) for _ in range(2))
    assert np.array_equal(one.matrix, again.matrix)
    assert np.array_equal(one.gain, again.gain)
    assert one.foci == again.foci
    heights = {draw_patient(*key).height_mm for key in ((7, "A", 5), (7, "A", 6), (7, "B", 5), (8, "A", 5))}
    assert len(heights) == 4


def test_streams_do_not_meet() -> None:
    """Each factor of each patient draws from a stream of its own."""
    keys = product((0, 1), ("A", "B"), (0, 1, 10), ("pose", "wear"), ((), (0,), (1,)))
    first = {stream(seed, site, number, factor, *when).integers(1 << 60) for seed, site, number, factor, when in keys}
    assert len(first) == 72


def test_twins_differ_by_disease_only() -> None:
    """Without the disease a patient is the same person in the same pose, with the same other foci and organs."""
    sick = draw_patient(7, "A", 3, disease=Disease(metastatic=True, perugini=2))
    healthy = draw_patient(7, "A", 3, disease=HEALTHY)
    assert np.array_equal(healthy.matrix, sick.matrix)
    assert healthy.foci == tuple(focus for focus in sick.foci if focus.kind != "metastasis")
    changed = np.flatnonzero(healthy.gain != sick.gain)
    assert {template().names[part] for part in changed} == {"left ventricle", "right ventricle"}
    assert (healthy.metastatic, sick.metastatic) == (False, True)


def test_a_later_visit_keeps_what_was_there() -> None:
    """A year later the person and every earlier focus are the same; the pose is another, and metastases are more."""
    before, after = (draw_patient(3, "A", 8, visit=visit, disease=Disease(True, 0)) for visit in (0, 1))
    assert before.person == after.person
    assert set(before.foci) <= set(after.foci)
    assert not np.array_equal(before.matrix, after.matrix)
    assert all(focus.since == 1 for focus in set(after.foci) - set(before.foci))


def test_case_mix_is_the_sites() -> None:
    """Shares of metastatic and cardiac patients are those of the site, and each disease comes without the other."""
    drawn = [draw_disease(1, "A", number) for number in range(4000)]
    metastatic, cardiac = (np.array(column) for column in zip(*((d.metastatic, d.cardiac) for d in drawn), strict=True))
    assert abs(metastatic.mean() - 0.27) < 0.02
    assert abs(cardiac.mean() - 0.12) < 0.015
    assert abs(np.corrcoef(metastatic, cardiac)[0, 1]) < 0.05


def test_benign_foci_share_bones_with_metastases() -> None:
    """A focus in a rib, a vertebra, the pelvis or the skull is no proof of disease in this population."""
    drawn = (draw_patient(7, "A", number, disease=HEALTHY) for number in range(150))
    benign = {kind(focus.bone) for patient in drawn for focus in patient.foci}
    assert {"rib", "T", "L", "ilium", "skull", "femur"} <= benign


def test_every_focus_has_a_region() -> None:
    """Whatever bone a focus is in, its region is one of the seventeen that are counted."""
    for bone in template().bones:
        focus = draw_patient(1, "A", 0).foci[0]._replace(bone=bone.name)
        assert focus.region in REGIONS


def test_bone_scan_index_grows_with_disease() -> None:
    """No metastases are an index of nothing; overlapping ones count once; a whole skeleton of them is below 100 %."""
    adult = template()
    sick = draw_patient(2, "A", 1, disease=Disease(True, 0))
    once = [focus for focus in sick.foci if focus.kind == "metastasis"][:1]
    assert bone_scan_index(adult, draw_patient(2, "A", 1, disease=HEALTHY).foci) == 0
    assert 0 < bone_scan_index(adult, once) == bone_scan_index(adult, once * 3) < 5
    everywhere = [once[0]._replace(bone=bone.name, radii=(1e4, 1e4, 1e4)) for bone in adult.bones]
    assert 99.9 < bone_scan_index(adult, everywhere) <= 100.001
