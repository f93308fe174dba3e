"""Made-up tables of scans, with what the measures should find in them known."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.scans import Fate, Scans

BETTER_AT = {"A": 1.8, "B": 1.4, "C": 1.0}
"""How far apart sick and healthy are at each site, in standard deviations."""


def cohort(
    seed: int = 0, *, each: int = 120, hazard_of_burden: float = 1.0, sites: Mapping[str, float] = BETTER_AT
) -> Scans:
    """Draw `each` patients of every site, one in four with a second scan, with what became of them."""
    tables = [
        _site(np.random.default_rng((seed, k)), site, each, apart, hazard_of_burden)
        for k, (site, apart) in enumerate(sites.items())
    ]
    column = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    return Scans(
        patient=column["patient"],
        site=column["site"],
        visit=column["visit"],
        truth=column["truth"],
        probability=column["probability"],
        strata={name: column[name] for name in ("metastases", "BMI", "tracer")},
        fate=Fate(column["years"], column["died"], column["burden"]),
    )


def _site(rng: np.random.Generator, site: str, each: int, apart: float, hazard: float) -> dict[str, NDArray]:
    sick = rng.random(each) < 0.4
    load = np.where(sick, 1 + rng.poisson(4, each), 0)
    burden = load * rng.lognormal(-1, 0.3, each)
    death, end = rng.exponential(8 / np.exp(hazard * np.sqrt(burden))), rng.uniform(2, 8, each)
    whose = np.sort(np.append(np.arange(each), np.flatnonzero(rng.random(each) < 0.25)))
    logit = apart * (sick - 0.5) + rng.normal(0, 0.7, each)
    logit = logit[whose] + rng.normal(0, 0.7, len(whose))
    return {
        "patient": np.array([f"{site}-{number}" for number in whose]),
        "site": np.full(len(whose), site),
        "visit": np.append(0, (whose[1:] == whose[:-1]).astype(int)),
        "truth": sick[whose],
        "probability": 1 / (1 + np.exp(-apart * logit)),
        "metastases": load[whose],
        "BMI": rng.normal(27, 4, each)[whose],
        "tracer": rng.choice(["MDP", "HDP"], each)[whose],
        "years": np.minimum(death, end)[whose],
        "died": (death < end)[whose],
        "burden": burden[whose],
    }
