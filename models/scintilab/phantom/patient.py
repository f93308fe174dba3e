"""One simulated patient at one visit: who, how they lie, and where the tracer went."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scintilab.phantom.balance import draw_balance
from scintilab.phantom.body import Body, body_of
from scintilab.phantom.disease import Disease, draw_disease
from scintilab.phantom.foci import Focus, benign, draw_burden, metastases, over_heart, rarities, wear
from scintilab.phantom.person import Person, draw_person
from scintilab.phantom.placement import place
from scintilab.phantom.pose import Pose, draw_pose
from scintilab.phantom.priors import one_of, priors
from scintilab.phantom.streams import stream
from scintilab.phantom.template import CLOUDS, Template, template
from scintilab.phantom.uptake import activity, bone_gain, chest, mimics, needle, urinary, viscera


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


Factor = Callable[..., np.random.Generator]
"""The stream of one factor of the patient, by name, and by visit where it changes between visits."""


def draw_patient(seed: int, site: str, number: int, *, visit: int = 0, disease: Disease | None = None) -> Patient:
    """Draw patient `number` of a site's population as they lie at one visit.

    Args:
        seed: of the population.
        site: "A" to "E".
        number: of the patient; each has streams of their own, whoever else is drawn.
        visit: 0 is the first scan.
        disease: another one than the patient's own: the healthy twin is the same in everything else.
    """

    def factor(name: str, *when: int) -> np.random.Generator:
        return stream(seed, site, number, name, *when)

    adult, mix = template(), priors()["sites"][site]
    disease = disease or draw_disease(seed, site, number)
    person = draw_person(factor("person"), women=mix["women"], bmi=mix["bmi"])
    pose = draw_pose(factor("pose", visit), person)
    history = factor("history")
    primary, tracer = one_of(history, _primaries(person)), one_of(history, mix["tracers"])
    imitated = mimics(factor("mimics"))
    foci = _foci(factor, adult, person, disease, primary, imitated, visit)
    takes = draw_balance(factor("balance"), foci, disease, tracer)
    organs = factor("organs", visit)
    held = urinary(organs, takes) | viscera(organs, takes)
    held |= chest(factor("heart"), person, disease, imitated, takes, held["blood pool"])
    stayed, injection = needle(organs)
    gain = [bone_gain(factor("uptake"), adult, person, takes), activity(adult, held | stayed)]
    soft = 0.16 * takes.soft * np.exp(factor("clearance", visit).normal(0, 0.22))
    return Patient(
        person=person,
        visit=visit,
        disease=disease,
        primary=primary,
        tracer=tracer,
        injection=injection,
        pose=pose,
        matrix=place(factor("fit"), factor("organs' places", visit), pose, adult),
        gain=np.concatenate(gain).astype(np.float32),
        clouds=factor("clouds").normal(0, 0.07, CLOUDS).astype(np.float32),
        body=body_of(pose, person, factor("soft tissue", visit), concentration=soft, muscle=takes.muscle),
        foci=foci,
    )


def _primaries(person: Person) -> dict[str, float]:
    return {name: share[person.sex == "M"] for name, share in priors()["metastasis"]["primary"].items()}


def _foci(
    factor: Factor, adult: Template, person: Person, disease: Disease, primary: str, imitated: set[str], visit: int
) -> tuple[Focus, ...]:
    """Draw every focus that is there at a visit, whichever visit it came with."""
    foci = [*wear(factor("wear"), adult, person), *rarities(factor("rarities"), adult)]
    burden = draw_burden(factor("burden")) if disease.metastatic else None
    for when in range(visit + 1):
        foci += benign(factor("benign", when), adult, when)
        foci += metastases(factor("metastases", when), adult, primary, burden, when) if burden else ()
    if "rib" in imitated:
        foci.append(over_heart(factor("over heart"), adult))
    return tuple(foci)
