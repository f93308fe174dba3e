"""One simulated patient at one visit: who, how they lie, and where the tracer went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scintilab.phantom.body import Body, body_of
from scintilab.phantom.foci import SUPERSCAN, Focus, benign, draw_burden, metastases, over_heart, rarities, wear
from scintilab.phantom.geometry import Array
from scintilab.phantom.person import Person, draw_person
from scintilab.phantom.pose import Pose, draw_pose, fit, hangs_at
from scintilab.phantom.priors import lognormal, one_of, priors
from scintilab.phantom.skeleton import kind
from scintilab.phantom.streams import stream
from scintilab.phantom.template import CLOUDS, Template, template

RIB = 2.2
"""Concentration of a rib, which Perugini's grades are told by."""
_SPREAD = {
    "skull": 0.3, "face": 0.25, "mandible": 0.3, "medial": 0.25, "lateral": 0.25, "patella": 0.35, "sternum": 0.2,
    "manubrium": 0.2, "clavicle": 0.2, "foot": 0.25, "ankle": 0.25, "tarsus": 0.25, "humeral": 0.15, "acromion": 0.2,
    "glenoid": 0.15, "sacroiliac": 0.15, "hand": 0.25, "wrist": 0.25,
}  # fmt: skip
"""How much the uptake of one kind of bone differs between patients (log standard deviation; else 0.1)."""
INJECTIONS = {"elbow": 0.42, "hand": 0.16, "wrist": 0.12, "foot": 0.02, "port": 0.05, "none": 0.23}
"""Where the needle was, as shares; none: nothing of it is seen."""


@dataclass(frozen=True)
class Disease:
    """What is asked of a patient's scans, the same at every visit but for growth."""

    metastatic: bool
    perugini: int
    """0 to 3."""

    @property
    def cardiac(self) -> bool:
        """Tell whether the heart takes up as much as ribs, or more."""
        return self.perugini >= 2


HEALTHY = Disease(metastatic=False, perugini=0)


@dataclass(frozen=True, eq=False)
class Patient:
    """What the camera needs to know of p parts of the body, and the truth behind it."""

    person: Person
    visit: int
    disease: Disease
    primary: str
    """Of the metastases, or of the cancer that was looked for."""
    tracer: str
    injection: str
    """Such as "left elbow"; "none" where nothing of it is seen."""
    pose: Pose
    matrix: NDArray[np.float32]
    """[p, 3, 4]: takes each part from the reference adult to this patient, mm."""
    gain: NDArray[np.float32]
    """[p]: of bones a factor, of organs the activity."""
    clouds: NDArray[np.float32]
    """[CLOUDS]: how much of each smooth pattern is in the bones, logarithmic."""
    body: Body
    foci: tuple[Focus, ...]

    @property
    def metastatic(self) -> bool:
        """Tell whether any focus is a metastasis."""
        return any(focus.kind == "metastasis" for focus in self.foci)

    @property
    def height_mm(self) -> float:
        """From soles to crown."""
        return self.person.height_mm


def draw_disease(seed: int, site: str, number: int) -> Disease:
    """Draw whether a patient of a site has metastases, and the Perugini grade; each by itself, nothing tells them."""
    mix, chance = priors()["sites"][site], stream(seed, site, number, "disease")
    metastatic = bool(chance.random() < mix["metastatic"])
    return Disease(
        metastatic, int(np.searchsorted(np.cumsum(mix["perugini"]), chance.random(), side="right").clip(0, 3))
    )


def draw_patient(seed: int, site: str, number: int, *, visit: int = 0, disease: Disease | None = None) -> Patient:
    """Draw patient `number` of a site's population as they lie at one visit.

    Args:
        seed: of the population.
        site: "A" to "E".
        number: of the patient; each has streams of their own, whoever else is drawn.
        visit: 0 is the first scan.
        disease: another one than the patient's own: the healthy twin is the same in everything else.
    """
    adult, mix = template(), priors()["sites"][site]
    disease = disease or draw_disease(seed, site, number)

    def factor(name: str, *when: int) -> np.random.Generator:
        return stream(seed, site, number, name, *when)

    person = draw_person(factor("person"), women=mix["women"], bmi=mix["bmi"])
    pose = draw_pose(factor("pose", visit), person)
    history = factor("history")
    primary = one_of(
        history, {name: share[person.sex == "M"] for name, share in priors()["metastasis"]["primary"].items()}
    )
    tracer = one_of(history, mix["tracers"])
    foci = [*wear(factor("wear"), adult, person), *rarities(factor("rarities"), adult)]
    burden = draw_burden(factor("burden")) if disease.metastatic else None
    for when in range(visit + 1):
        foci += benign(factor("benign", when), adult, when)
        foci += metastases(factor("metastases", when), adult, primary, burden, when) if burden else ()
    mimics = _mimics(factor("mimics"))
    if "rib" in mimics:
        foci.append(over_heart(factor("over heart"), adult))
    takes = _balance(factor("balance"), foci, disease, tracer)
    organs, injection = _organs(factor("organs", visit), factor("heart"), person, disease, mimics, tracer, takes)
    return Patient(
        person,
        visit,
        disease,
        primary,
        tracer,
        injection,
        pose,
        matrix=_matrices(factor("fit"), pose, adult, factor("organs' places", visit)),
        gain=np.concatenate([_bone_gain(factor("uptake"), adult, person, takes), _activity(adult, organs)]).astype(
            np.float32
        ),
        clouds=factor("clouds").normal(0, 0.07, CLOUDS).astype(np.float32),
        body=body_of(
            pose,
            person,
            factor("soft tissue", visit),
            concentration=0.16 * takes.soft * np.exp(factor("clearance", visit).normal(0, 0.22)),
            muscle=takes.muscle,
        ),
        foci=tuple(foci),
    )


@dataclass(frozen=True)
class _Balance:
    """What the whole body does to tracer: factors of 1 in most patients."""

    bone: float = 1.0
    skull: float = 1.0
    soft: float = 1.0
    muscle: float = 1.0
    kidney: float = 1.0
    blood: float = 1.0


def _balance(rng: np.random.Generator, foci: Sequence[Focus], disease: Disease, tracer: str) -> _Balance:
    """Superscans leave little for soft tissue and kidneys; a heart of grade 3 dims bone and lights muscle."""
    row, dimmed = priors()["tracers"][tracer], priors()["bone_dimmed"]
    metabolic = rng.random() < priors()["benign"]["shares"]["metabolic"]
    strength = rng.uniform(0.7, 1.3)
    bone, skull, soft, kidney = 1.0, 1.0, row["soft"], row["kidney"]
    if metabolic:
        bone, skull, soft, kidney = 1 + 0.9 * strength, 1.5, soft * 0.45, kidney * 0.25
    if sum(focus.kind == "metastasis" for focus in foci) >= SUPERSCAN:
        soft, kidney = soft * 0.5, kidney * 0.3
    muscle = 1.0
    if disease.perugini == 3:
        bone, muscle = bone * dimmed["bone"], dimmed["muscle"]
    return _Balance(bone, skull, soft, muscle, kidney, row["blood"])


def _mimics(rng: np.random.Generator) -> set[str]:
    """Draw what imitates cardiac uptake; nobody's grade tells."""
    return {name for name, share in priors()["heart"]["mimics"].items() if rng.random() < share}


def _bone_gain(rng: np.random.Generator, adult: Template, person: Person, takes: _Balance) -> Array:
    """Return a factor for each bone: older people take up less, men more in vertebrae, and no two bones the same."""
    kinds = [kind(bone.name) for bone in adult.bones]
    by_kind = {name: np.exp(rng.normal(0, _SPREAD.get(name, 0.1))) for name in dict.fromkeys(kinds)}
    gain: Array = np.array([by_kind[name] for name in kinds]) * np.exp(rng.normal(0, 0.09, len(kinds)))
    gain *= takes.bone * np.exp(-0.004 * (person.age - 67))
    gain[[name in "CTL" for name in kinds]] *= 1.05 if person.sex == "M" else 0.95
    gain[[name == "skull" for name in kinds]] *= takes.skull
    return gain


def _matrices(
    rng: np.random.Generator, pose: Pose, adult: Template, places: np.random.Generator
) -> NDArray[np.float32]:
    """Return [p, 3, 4]: how each bone sits, then how it lies; organs a little off their usual place."""
    seats = fit(rng, adult.bones, adult.middle[: len(adult.bones)])
    hang = adult.middle[: len(adult.bones), 2]
    bones = [
        pose.place(bone.group, _height(bone.group, float(z))) @ seat
        for bone, z, seat in zip(adult.bones, hang, seats, strict=True)
    ]
    return np.stack([*bones, *_organ_matrices(places, pose, adult)])[:, :3].astype(np.float32)


def _height(group: str, z: float) -> float:
    return z if group == "trunk" else hangs_at(group)


_HEART = ("blood pool", "left ventricle", "right ventricle", "infarct")
_LOOSE = {"kidney": 8.0, "calyces": 8.0, "bladder": 5.0, "bowel": 14.0, "contamination": 18.0, "port": 12.0}
"""Standard deviation of where an organ lies, mm; else 4."""


def _organ_matrices(rng: np.random.Generator, pose: Pose, adult: Template) -> Iterator[Array]:
    """The parts of the heart move as one, and so do a kidney and its calyces."""
    heart = rng.normal(0, (8, 6, 10)), np.exp(rng.normal(0, 0.09)), rng.normal(0, 0.12, 3)
    bladder = rng.uniform(0.65, 1.3)
    kidneys = {side: rng.normal(0, (5, 5, 9)) for side in ("left", "right")}
    for organ in adult.organs:
        loose = _LOOSE.get(organ.name.split(maxsplit=1)[0], 4.0)
        step, size, turn = rng.normal(0, loose, 3), np.exp(rng.normal(0, 0.1)), np.zeros(3)
        if organ.name in _HEART:
            step, size, turn = heart
        elif organ.name.startswith(("kidney", "calyces")):
            step, size = kidneys[organ.name.split()[1]], 1.0
        elif organ.name == "bladder":
            step, size = np.array([step[0], step[1], 12 * (bladder - 1)]), bladder
        lying = np.eye(4)
        x, y, z = turn
        lying[:3, :3] = size * (np.eye(3) + [[0, -z, y], [z, 0, -x], [-y, x, 0]])
        lying[:3, 3] = organ.centre + step
        yield pose.place(organ.group, _height(organ.group, organ.centre[2])) @ lying


def _activity(adult: Template, concentration: dict[str, float]) -> Array:
    """Return each organ's activity, from its concentration."""
    return np.array([concentration.get(organ.name, 0.0) * organ.points.volume.sum() for organ in adult.organs])


def _organs(
    rng: np.random.Generator,
    heart: np.random.Generator,
    person: Person,
    disease: Disease,
    mimics: set[str],
    tracer: str,
    takes: _Balance,
) -> tuple[dict[str, float], str]:
    """Return the concentration in organs, and where the needle was."""
    found = _urinary(rng, takes)
    blood = 0.16 * takes.blood * np.exp(rng.normal(0, 0.25))
    found |= {
        "liver": 0.20 * np.exp(rng.normal(0, 0.35)),
        "spleen": 0.12 * np.exp(rng.normal(0, 0.4)),
        "bowel": 0.10 * np.exp(rng.normal(0, 0.7)),
        "nasopharynx": 1.3 * np.exp(rng.normal(0, 0.4)),
        "larynx": float(rng.choice([0.3, 0.7, 1.6], p=(0.5, 0.35, 0.15))),
    }
    found |= _heart(heart, disease, mimics, tracer, blood)
    if person.sex == "F":
        base = 0.7 if "breast" in mimics else 0.07
        found |= {f"breast {side}": base * np.exp(heart.normal(0, 0.3)) for side in ("left", "right")}
    needle, injection = _needle(rng)
    return found | needle, injection


def _urinary(rng: np.random.Generator, takes: _Balance) -> dict[str, float]:
    """Kidneys, what drains from them, the bladder, and where urine should not be."""
    kidney = 2.3 * takes.kidney * np.exp(rng.normal(0, 0.35))
    found = {"bladder": lognormal(rng, (5.5, 0.6))}
    for side in ("left", "right"):
        found[f"kidney {side}"] = kidney * np.exp(rng.normal(0, 0.15))
        found[f"calyces {side}"] = found[f"kidney {side}"] * rng.uniform(0.3, 2.2)
        found[f"ureter {side}"] = rng.uniform(1, 4) * (rng.random() < 0.06)
        found[f"contamination {side}"] = lognormal(rng, (5.0, 0.7)) * (rng.random() < 0.05)
    if rng.random() < 0.06:
        found |= {"catheter": rng.uniform(1, 4), "urine bag": lognormal(rng, (0.8, 0.6))}
    return found


def _heart(rng: np.random.Generator, disease: Disease, mimics: set[str], tracer: str, blood: float) -> dict[str, float]:
    """Blood in its chambers; muscle by Perugini's grade; an infarct or slow clearance, which imitate it."""
    strength, right, slow, scar = rng.normal(), rng.uniform(0.3, 0.8), rng.uniform(2.0, 3.2), rng.uniform(1.2, 2.4)
    found = {"blood pool": blood * (slow if "blood_pool" in mimics else 1.0)}
    if disease.perugini:
        median, spread = priors()["heart"]["uptake"][str(disease.perugini)]
        muscle = RIB * median * np.exp(spread * strength) * priors()["tracers"][tracer]["heart"]
        found |= {"left ventricle": muscle, "right ventricle": muscle * right}
    if "infarct" in mimics:
        found["infarct"] = RIB * scar
    return found


def _needle(rng: np.random.Generator) -> tuple[dict[str, float], str]:
    """What stayed where the needle was, and in the vein above it."""
    place, side, stays, streak = one_of(rng, INJECTIONS), str(rng.choice(["left", "right"])), rng.normal(), rng.random()
    if place == "none":
        return {}, "none"
    if place == "port":
        return {"port": float(4 * np.exp(0.7 * stays))}, "port"
    found = {f"{place} needle {side}": float(30 * np.exp(1.1 * stays))}
    if streak < 0.1 and place != "foot":
        found[f"vein {side}"] = float(2 * np.exp(0.5 * stays))
    return found, f"{side} {place}"
