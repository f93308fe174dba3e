"""How long patients live: a constant hazard that grows with age, bone scan index and a heart that takes up tracer."""

from typing import NamedTuple

import numpy as np

from scintilab.phantom.priors import priors


class Outcome(NamedTuple):
    """What became of a patient after the first scan."""

    years: float
    """To death, or to the end of observation."""
    died: bool

    def after(self, years: float) -> "Outcome":
        """Return the same outcome, counted from later on."""
        return Outcome(self.years - years, self.died)


def hazard(age: float, bsi: float, *, cardiac: bool) -> float:
    """Return deaths a year. Five-year survival by BSI follows from it (PMC3570487); see `priors.toml`."""
    prior = priors()["outcome"]
    return float(
        prior["hazard"]
        * np.exp(prior["per_decade"] * (age - 67) / 10 + prior["per_root_bsi"] * bsi**0.5 + prior["cardiac"] * cardiac)
    )


def draw_outcome(rng: np.random.Generator, deaths_a_year: float) -> Outcome:
    """Draw an outcome; one stream gives the same patient the same luck whatever the hazard is."""
    death, followed = rng.exponential() / deaths_a_year, rng.uniform(*priors()["outcome"]["followed_years"])
    return Outcome(min(death, followed), bool(death <= followed))
