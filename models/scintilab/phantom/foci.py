"""Foci of changed bone uptake, benign and malignant, and where each kind likes to be.

The same bones host both: worn spines, old rib fractures and bone islands are what makes a bone scan hard to read, so
healthy and sick patients get benign foci from the same streams. A focus multiplies the uptake of its own bone round
its centre, so that one in a rib takes the shape of the rib.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from scintilab.phantom.geometry import Array
from scintilab.phantom.person import Person
from scintilab.phantom.priors import lognormal, one_of, priors
from scintilab.phantom.skeleton import kind
from scintilab.phantom.template import Template

Kind = Literal["metastasis", "focus", "wear", "fracture", "endplate", "sacral H", "Paget", "frontal", "prosthesis"]

REGIONS = (
    "skull", "face", "cervical spine", "thoracic spine", "lumbar spine", "sacrum", "pelvis", "left ribs", "right ribs",
    "sternum", "shoulders", "arms", "hands", "femora", "knees", "shanks", "feet",
)  # fmt: skip
_REGION_OF = {
    "C": "cervical spine", "T": "thoracic spine", "L": "lumbar spine", "sacrum": "sacrum", "coccyx": "sacrum",
    "sacroiliac": "sacrum", "ilium": "pelvis", "acetabulum": "pelvis", "pubis": "pelvis", "ischium": "pelvis",
    "manubrium": "sternum", "sternum": "sternum", "xiphoid": "sternum", "skull": "skull", "face": "face",
    "mandible": "face", "clavicle": "shoulders", "scapula": "shoulders", "glenoid": "shoulders",
    "acromion": "shoulders", "humeral": "shoulders", "humerus": "arms", "elbow": "arms", "forearm": "arms",
    "wrist": "hands", "hand": "hands", "femur": "femora", "trochanter": "femora", "medial": "knees",
    "lateral": "knees", "patella": "knees", "tibia": "shanks", "fibula": "shanks", "ankle": "feet", "heel": "feet",
    "tarsus": "feet", "foot": "feet",
}  # fmt: skip

SUPERSCAN = 60
"""So many metastases leave little tracer for anything else."""
INNER = 2 * np.log(2)
"""Square of the distance from a focus, in its radii, at which half of its rise is left."""
WHOLE = 1e4
"""A radius, mm, that covers any bone evenly."""


class Focus(NamedTuple):
    """One focus: bone uptake is multiplied by 1 + `rise` at its centre, falling off as a Gaussian."""

    kind: Kind
    bone: str
    centre: tuple[float, float, float]
    """In the reference adult, mm."""
    radii: tuple[float, float, float]
    """Standard deviations along x, y and z, mm."""
    rise: float
    """Below 0 for what is colder than bone; never below -1."""
    since: int = 0
    """The visit at which it is there first."""

    @property
    def region(self) -> str:
        """One of REGIONS."""
        what = kind(self.bone)
        return f"{self.bone.rsplit(maxsplit=1)[-1]} ribs" if what == "rib" else _REGION_OF[what]


class Burden(NamedTuple):
    """How much metastatic disease a patient has at the first scan."""

    number: int
    brightness: float
    """A factor of what all foci of the patient rise by."""


def draw_burden(rng: np.random.Generator) -> Burden:
    """Draw how many metastases a patient has who has some: often a few, sometimes very many."""
    prior = priors()["metastasis"]
    few, many = rng.random(), rng.random()
    count = 1 if few < prior["single"] else 2 if few < prior["single"] + prior["pair"] else 0
    count = count or int(np.clip(round(lognormal(rng, prior["more"])), 3, 59))
    if many < prior["superscan"]:
        count = int(rng.integers(90, 160))
    return Burden(count, lognormal(rng, (1.0, prior["patient_contrast"])))


def metastases(rng: np.random.Generator, adult: Template, primary: str, burden: Burden, visit: int) -> Iterator[Focus]:
    """Draw the metastases that appear at a visit: at later ones, some more."""
    prior = priors()["metastasis"]
    larger = 1.5 if burden.number >= SUPERSCAN else 1.0
    for _ in range(burden.number if visit == 0 else rng.poisson(0.5 + 0.25 * burden.number)):
        bone = _some_bone(rng, adult, prior["sites"][primary])
        rise, radius = (
            burden.brightness * lognormal(rng, prior["contrast"]),
            larger * lognormal(rng, prior["radius_mm"]),
        )
        rise = -0.8 if rng.random() < prior["cold"] else rise
        yield _round(rng, adult, "metastasis", bone, radius, rise)._replace(since=visit)


def benign(rng: np.random.Generator, adult: Template, visit: int) -> Iterator[Focus]:
    """Draw foci that no joint explains and that appear at a visit: falls and bone islands, fewer at later ones."""
    prior = priors()["benign"]
    mean, shape = prior["focus"]
    for _ in range(rng.poisson(rng.gamma(shape, mean / shape) * (1 if visit == 0 else 0.4))):
        bone = _some_bone(rng, adult, prior["sites"])
        rise, radius = lognormal(rng, prior["contrast"]), lognormal(rng, prior["radius_mm"])
        yield _round(rng, adult, "focus", bone, radius, rise)._replace(since=visit)


def rarities(rng: np.random.Generator, adult: Template) -> Iterator[Focus]:
    """Draw what few patients have: rows of broken ribs, crushed vertebrae, Paget's disease, metal."""
    contrast, shares = priors()["benign"]["contrast"], priors()["benign"]["shares"]
    chance = rng.random(5)
    if chance[0] < shares["rib_row"]:
        yield from _broken_ribs(rng, adult, lognormal(rng, contrast))
    if chance[1] < shares["endplate"]:
        yield from _compressed_vertebrae(rng, adult, lognormal(rng, contrast))
    if chance[2] < shares["sacral_h"]:
        yield from _sacral_h(rng, lognormal(rng, contrast))
    if chance[3] < shares["paget"]:
        yield from _paget(rng, adult)
    if chance[4] < shares["frontal"]:
        yield Focus("frontal", "skull", (0, 90, 1655), (48, 40, 38), rng.uniform(0.5, 1.4))
    for joint, share in (("hip", shares["prosthesis_hip"]), ("knee", shares["prosthesis_knee"])):
        if rng.random() < share:
            yield from _prosthesis(rng, adult, joint, str(rng.choice(["left", "right"])))


def wear(rng: np.random.Generator, adult: Template, person: Person) -> Iterator[Focus]:
    """Draw what age and work leave in joints and at the edges of vertebrae; both sides often alike."""
    prior = priors()["wear"]
    mean, shape = prior["focus"]
    older = np.exp(prior["per_decade"] * (person.age - 67) / 10)
    for _ in range(rng.poisson(rng.gamma(shape, mean * older / shape))):
        bone = _some_bone(rng, adult, prior["sites"])
        rise, radius = lognormal(rng, prior["contrast"]), lognormal(rng, prior["radius_mm"])
        if kind(bone) in "CTL":
            yield _at_edge(rng, adult, bone, radius, rise)
        elif kind(bone) == "clavicle":
            inner = rng.random() < 0.5
            yield _near(rng, adult, "wear", bone, 0 if inner else 1, radius, rise)
        else:
            yield _round(rng, adult, "wear", bone, radius, rise)
            other = bone.replace("left", "right") if "left" in bone else bone.replace("right", "left")
            if other != bone and rng.random() < 0.4:
                yield _round(rng, adult, "wear", other, radius, rise * np.exp(rng.normal(0, 0.4)))


def over_heart(rng: np.random.Generator, adult: Template) -> Focus:
    """A broken left rib in front of the heart: a mimic of cardiac uptake."""
    bone = f"rib {rng.integers(4, 7)} left"
    return _along(rng, adult, bone, depth=rng.uniform(20, 60), rise=lognormal(rng, priors()["benign"]["contrast"]))


def bone_scan_index(adult: Template, foci: Sequence[Focus]) -> float:
    """Return the share of skeletal mass that is metastatic, percent, by the inner part of each metastasis.

    Bone is taken to be equally dense everywhere, so that mass is volume (Imbriaco et al. 1998, Clin Cancer Res 4:1765).
    """
    by_bone: dict[str, list[Focus]] = {}
    for focus in foci:
        if focus.kind == "metastasis":
            by_bone.setdefault(focus.bone, []).append(focus)
    inside = 0.0
    for bone in adult.bones:
        off = [(bone.points.position - focus.centre) / focus.radii for focus in by_bone.get(bone.name, ())]
        if off:
            nearest = np.min([(each**2).sum(1) for each in off], axis=0)
            inside += bone.points.volume[nearest < INNER].sum()
    return 100 * inside / adult.bone_volume


def _broken_ribs(rng: np.random.Generator, adult: Template, rise: float) -> Iterator[Focus]:
    """Neighbouring ribs break on one line, at about the same distance from the middle."""
    count = int(rng.integers(2, 6))
    side, first, depth = rng.choice(["left", "right"]), int(rng.integers(3, 11 - count)), rng.uniform(-70, 70)
    for number in range(first, first + count):
        yield _along(rng, adult, f"rib {number} {side}", depth + rng.normal(0, 6), rise * np.exp(rng.normal(0, 0.3)))


def _along(rng: np.random.Generator, adult: Template, rib: str, depth: float, rise: float) -> Focus:
    points = _points(adult, rib)
    centre = points[np.argmin(np.abs(points[:, 1] - depth) + rng.uniform(0, 4, len(points)))]
    return Focus("fracture", rib, _xyz(centre), (6.5, 6.5, 6.5), rise)


def _compressed_vertebrae(rng: np.random.Generator, adult: Template, rise: float) -> Iterator[Focus]:
    """A flat band across a vertebra between T7 and L4; sometimes in a second one."""
    levels = [f"T{i}" for i in range(7, 13)] + [f"L{i}" for i in range(1, 5)]
    for bone in rng.choice(levels, size=1 + int(rng.random() < 0.3), replace=False):
        centre = _points(adult, str(bone)).mean(axis=0) + (0, 12, rng.choice([-1, 1]) * rng.uniform(3, 8))
        yield Focus("endplate", str(bone), _xyz(centre), (40, 40, rng.uniform(3.5, 5)), rise)


def _sacral_h(rng: np.random.Generator, rise: float) -> Iterator[Focus]:
    """An insufficiency fracture: both wings and a bar between them (the Honda sign)."""
    for side in (-1, 1):
        yield Focus("sacral H", "sacrum", (30.0 * side, -66, 962), (8, 30, 22), rise * np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.7:
        yield Focus("sacral H", "sacrum", (0, -66, 950 + rng.normal(0, 5)), (26, 30, 5), rise)


def _paget(rng: np.random.Generator, adult: Template) -> Iterator[Focus]:
    """A whole bone, intense and even: half a pelvis, a femur, a vertebra, the skull."""
    side = rng.choice(["left", "right"])
    half_pelvis = [f"{bone} {side}" for bone in ("ilium", "acetabulum", "pubis", "ischium", "sacroiliac")]
    affected = [half_pelvis, [f"femur {side}"], [f"tibia {side}"], [f"L{rng.integers(1, 6)}"], ["skull"]]
    for bone in affected[int(rng.choice(5, p=(0.4, 0.2, 0.1, 0.2, 0.1)))]:
        yield Focus("Paget", bone, _xyz(_points(adult, bone).mean(0)), (WHOLE, WHOLE, WHOLE), rng.uniform(1.5, 3.5))


def _prosthesis(rng: np.random.Generator, adult: Template, joint: str, side: str) -> Iterator[Focus]:
    """Metal instead of bone: cold, in bone that may answer at the rim."""
    bones: tuple[tuple[str, float, tuple[int, int, int]], ...] = (
        (f"femur {side}", 24.0, (92, 8, 906)),
        (f"acetabulum {side}", 30.0, (92, 6, 906)),
    )
    if joint == "knee":
        bones = (
            (f"medial condyle {side}", WHOLE, (66, 0, 498)),
            (f"lateral condyle {side}", WHOLE, (110, 0, 498)),
            (f"medial plateau {side}", WHOLE, (68, 0, 464)),
            (f"lateral plateau {side}", WHOLE, (108, 0, 464)),
        )
    outward = 1 if side == "left" else -1
    for bone, radius, (x, y, z) in bones:
        yield Focus("prosthesis", bone, (outward * x, y, z), (radius, radius, radius), -0.85)
    rim, (x, y, z) = (f"femur {side}", (128, -4, 862)) if joint == "hip" else (f"tibia {side}", (88, 0, 446))
    yield Focus("wear", rim, (outward * x, y, z), (14, 14, 16), lognormal(rng, priors()["wear"]["contrast"]))


def _some_bone(rng: np.random.Generator, adult: Template, shares: dict[str, float]) -> str:
    wanted = one_of(rng, shares)
    same = [bone.name for bone in adult.bones if kind(bone.name) == wanted]
    return same[int(rng.integers(len(same)))]


def _round(rng: np.random.Generator, adult: Template, what: Kind, bone: str, radius: float, rise: float) -> Focus:
    """A round focus anywhere in a bone; in long bones near the trunk."""
    inside = _points(adult, bone)
    tried = inside[rng.integers(0, len(inside), size=6)]
    proximal = kind(bone) in ("femur", "humerus", "tibia")
    centre = tried[np.argmax(tried[:, 2])] if proximal else tried[0]
    return Focus(what, bone, _xyz(centre), (radius, radius, radius), rise)


def _at_edge(rng: np.random.Generator, adult: Template, bone: str, radius: float, rise: float) -> Focus:
    """Osteophytes and facet joints: at the side of a vertebra, most often."""
    inside = _points(adult, bone)
    tried = inside[rng.integers(0, len(inside), size=4)]
    centre = tried[np.argmax(np.abs(tried[:, 0]))]
    return Focus("wear", bone, _xyz(centre), (radius, radius, 0.8 * radius), rise)


def _near(
    rng: np.random.Generator, adult: Template, what: Kind, bone: str, end: int, radius: float, rise: float
) -> Focus:
    """At the inner (0) or the outer (1) end of a bone that runs sideways."""
    inside = _points(adult, bone)
    outward = np.abs(inside[:, 0])
    centre = inside[np.argmax(outward) if end else np.argmin(outward)] + rng.normal(0, 2, 3)
    return Focus(what, bone, _xyz(centre), (radius, radius, radius), rise)


def _points(adult: Template, bone: str) -> Array:
    return next(each.points.position for each in adult.bones if each.name == bone)


def _xyz(centre: Array) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in centre)
    return x, y, z
