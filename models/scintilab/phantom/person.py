"""Who is scanned: sex, age and build, the same at every visit, and independent of any disease."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Sex = Literal["F", "M"]


@dataclass(frozen=True)
class Person:
    """One patient of a site, in the year of the first scan."""

    sex: Sex
    age: int
    height_mm: float
    bmi: float


def draw_person(rng: np.random.Generator, *, women: float, bmi: float) -> Person:
    """Draw a person.

    Args:
        rng: the stream.
        women: their share at the site.
        bmi: the site's mean body mass index, kg/m2.
    """
    sex: Sex = "F" if rng.random() < women else "M"
    return Person(
        sex,
        age=int(np.clip(rng.normal(67, 11), 35, 92)),
        height_mm=float(np.clip(rng.normal(1640 if sex == "F" else 1755, 65), 1450, 1930)),
        bmi=float(np.clip(rng.normal(bmi, 4), 17, 40)),
    )
