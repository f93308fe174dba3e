"""What the whole body does to tracer: who takes much leaves less to others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scintilab.phantom.disease import Disease
from scintilab.phantom.foci import SUPERSCAN, Focus
from scintilab.phantom.priors import priors


@dataclass(frozen=True)
class Balance:
    """Factors, 1 in most patients but for their tracer's own."""

    bone: float
    skull: float
    soft: float
    muscle: float
    kidney: float
    blood: float
    heart: float


def draw_balance(rng: np.random.Generator, foci: Sequence[Focus], disease: Disease, tracer: str) -> Balance:
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
    return Balance(bone, skull, soft, muscle, kidney, row["blood"], row["heart"])
