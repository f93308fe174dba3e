"""One scan among those of a request: it follows from seed, index, conditions and model alone."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scintiflow.inference.generator_manifest import Choice, GeneratorManifest, Number, Said
from scintiflow.inference.session import Floats
from scintiflow.synthesizer.wanted import UPTAKE, Wanted

NOTICE = "AI result, not for diagnostic use, research only"


@dataclass(frozen=True)
class Item:
    """The scan `index` of a request, drawn for the first time or, after copies of training scans, again."""

    wanted: Wanted
    seed: int
    index: int
    attempt: int = 0

    def again(self) -> "Item":
        """Return the same item with other draws."""
        return replace(self, attempt=self.attempt + 1)

    def stream(self, factor: str) -> np.random.Generator:
        """Return the Philox stream of one random factor: its draws shift nothing else."""
        words = (self.seed, self.index, *factor.encode(), self.attempt)
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))

    def noise(self, length: int) -> Floats:
        """Return the latent noise, [length]."""
        return self.stream("noise").standard_normal(length, np.float32)

    def said(self, manifest: GeneratorManifest) -> Said:
        """Return its conditions: as asked for, drawn so that they fit the label, or left open."""
        wanted = self.wanted
        said: dict[str, bool | float | int | str | None] = {
            "metastatic": wanted.metastatic,
            "cardiac": wanted.cardiac,
            "load": self._load(manifest),
            "perugini": self._perugini(manifest),
            "tracer": wanted.tracer,
            "scanner": wanted.scanner,
            "sex": wanted.sex,
        }
        return {name: value for name, value in said.items() if value is not None and manifest.condition(name)}

    def counts(self, manifest: GeneratorManifest) -> int:
        """Return its mean counts of a view."""
        return self.wanted.counts or manifest.counts[1]

    def labels(self, manifest: GeneratorManifest) -> dict[str, Any]:
        """Return what travels with the scan; None for what was left open."""
        said = self.said(manifest)
        return {
            "index": self.index,
            "seed": self.seed,
            "label": self.wanted.label,
            **{name: said.get(name) for name in ("load", "perugini", "tracer", "scanner", "sex")},
            "counts": self.counts(manifest),
            "model": manifest.name,
            "version": manifest.version,
            "digest": manifest.digest,
            "synthetic": True,
            "evidence": manifest.evidence,
            "notice": NOTICE,
        }

    def _load(self, manifest: GeneratorManifest) -> float | None:
        condition = manifest.condition("load")
        if self.wanted.load is not None or not isinstance(condition, Number):
            return self.wanted.load
        return round(condition.draw(self.stream("load")), 3) if self.wanted.metastatic else condition.low

    def _perugini(self, manifest: GeneratorManifest) -> int | None:
        condition = manifest.condition("perugini")
        if self.wanted.perugini is not None or not isinstance(condition, Choice):
            return self.wanted.perugini
        grades = [grade for grade in map(int, condition.values) if (grade >= UPTAKE) == self.wanted.cardiac]
        return int(self.stream("perugini").choice(grades)) if grades else None
