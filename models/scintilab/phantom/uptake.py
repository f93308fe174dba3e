"""How much bones take up and organs hold, in one patient at one visit."""

import numpy as np

from scintilab.phantom.balance import Balance
from scintilab.phantom.disease import Disease
from scintilab.phantom.geometry import Array
from scintilab.phantom.person import Person
from scintilab.phantom.priors import lognormal, one_of, priors
from scintilab.phantom.skeleton import kind
from scintilab.phantom.template import Template

RIB = 2.2
"""Concentration of a rib, which Perugini's grades are told by."""
INJECTIONS = {"elbow": 0.42, "hand": 0.16, "wrist": 0.12, "foot": 0.02, "port": 0.05, "none": 0.23}
"""Where the needle was, as shares; none: nothing of it is seen."""
_SPREAD = {
    "skull": 0.3, "face": 0.25, "mandible": 0.3, "medial": 0.25, "lateral": 0.25, "patella": 0.35, "sternum": 0.2,
    "manubrium": 0.2, "clavicle": 0.2, "foot": 0.25, "ankle": 0.25, "tarsus": 0.25, "humeral": 0.15, "acromion": 0.2,
    "glenoid": 0.15, "sacroiliac": 0.15, "hand": 0.25, "wrist": 0.25,
}  # fmt: skip
"""How much the uptake of one kind of bone differs between patients (log standard deviation; else 0.1)."""

Concentrations = dict[str, float]
"""Of organs, by name; what is not named holds nothing."""


def bone_gain(rng: np.random.Generator, adult: Template, person: Person, takes: Balance) -> Array:
    """Return a factor for each bone: older people take up less, men more in vertebrae, and no two bones the same."""
    kinds = [kind(bone.name) for bone in adult.bones]
    by_kind = {name: np.exp(rng.normal(0, _SPREAD.get(name, 0.1))) for name in dict.fromkeys(kinds)}
    gain: Array = np.array([by_kind[name] for name in kinds]) * np.exp(rng.normal(0, 0.09, len(kinds)))
    gain *= takes.bone * np.exp(-0.004 * (person.age - 67))
    gain[[name in ("C", "T", "L") for name in kinds]] *= 1.05 if person.sex == "M" else 0.95
    gain[[name == "skull" for name in kinds]] *= takes.skull
    return gain


def activity(adult: Template, held: Concentrations) -> Array:
    """Return each organ's activity, from its concentration."""
    return np.array([held.get(organ.name, 0.0) * organ.points.volume.sum() for organ in adult.organs])


def mimics(rng: np.random.Generator) -> set[str]:
    """Draw what imitates cardiac uptake; nobody's grade tells."""
    return {name for name, share in priors()["heart"]["mimics"].items() if rng.random() < share}


def urinary(rng: np.random.Generator, takes: Balance) -> Concentrations:
    """Kidneys, what drains from them, the bladder, and where urine should not be."""
    kidney = 2.3 * takes.kidney * np.exp(rng.normal(0, 0.35))
    held = {"bladder": lognormal(rng, (5.5, 0.6))}
    for side in ("left", "right"):
        held[f"kidney {side}"] = kidney * np.exp(rng.normal(0, 0.15))
        held[f"calyces {side}"] = held[f"kidney {side}"] * rng.uniform(0.3, 2.2)
        held[f"ureter {side}"] = rng.uniform(1, 4) * (rng.random() < 0.06)
        held[f"contamination {side}"] = lognormal(rng, (5.0, 0.7)) * (rng.random() < 0.05)
    if rng.random() < 0.06:
        held |= {"catheter": rng.uniform(1, 4), "urine bag": lognormal(rng, (0.8, 0.6))}
    return held


def viscera(rng: np.random.Generator, takes: Balance) -> Concentrations:
    """Blood, liver, spleen and bowel, faint; nose and larynx, less so."""
    return {
        "blood pool": 0.16 * takes.blood * np.exp(rng.normal(0, 0.25)),
        "liver": 0.20 * np.exp(rng.normal(0, 0.35)),
        "spleen": 0.12 * np.exp(rng.normal(0, 0.4)),
        "bowel": 0.10 * np.exp(rng.normal(0, 0.7)),
        "nasopharynx": 1.3 * np.exp(rng.normal(0, 0.4)),
        "larynx": float(rng.choice([0.3, 0.7, 1.6], p=(0.5, 0.35, 0.15))),
    }


def chest(
    rng: np.random.Generator, person: Person, disease: Disease, imitated: set[str], takes: Balance, blood: float
) -> Concentrations:
    """Heart muscle by Perugini's grade; an infarct, slow clearance of blood, and breasts, which imitate it.

    Args:
        rng: the stream.
        person: women have breasts.
        disease: says the grade.
        imitated: see `mimics`.
        takes: of the tracer.
        blood: its concentration in most patients.
    """
    strength, right, slow, scar = rng.normal(), rng.uniform(0.3, 0.8), rng.uniform(2.0, 3.2), rng.uniform(1.2, 2.4)
    held = {"blood pool": blood * (slow if "blood_pool" in imitated else 1.0)}
    if disease.perugini:
        median, spread = priors()["heart"]["uptake"][str(disease.perugini)]
        muscle = RIB * median * np.exp(spread * strength) * takes.heart
        held |= {"left ventricle": muscle, "right ventricle": muscle * right}
    if "infarct" in imitated:
        held["infarct"] = RIB * scar
    if person.sex == "F":
        usual = 0.7 if "breast" in imitated else 0.07
        held |= {f"breast {side}": usual * np.exp(rng.normal(0, 0.3)) for side in ("left", "right")}
    return held


def needle(rng: np.random.Generator) -> tuple[Concentrations, str]:
    """What stayed where the needle was and in the vein above it, and where that is, such as "left elbow"."""
    place, side, stays, streak = one_of(rng, INJECTIONS), str(rng.choice(["left", "right"])), rng.normal(), rng.random()
    if place == "none":
        return {}, "none"
    if place == "port":
        return {"port": float(4 * np.exp(0.7 * stays))}, "port"
    held = {f"{place} needle {side}": float(30 * np.exp(1.1 * stays))}
    if streak < 0.1 and place != "foot":
        held[f"vein {side}"] = float(2 * np.exp(0.5 * stays))
    return held, f"{side} {place}"
