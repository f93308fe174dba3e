"""The numbers of an evaluation as tables, for a report and for a model's card alike."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from scintilab.evaluate.balanced import DRAWS, SIZE
from scintilab.evaluate.bootstrap import Estimate
from scintilab.evaluate.evaluation import Evaluation, Mean
from scintilab.evaluate.site import Site
from scintilab.evaluate.strata import Stratum
from scintilab.evaluate.survival import Outcome

Published = Mapping[str, Mapping[str, float]]
"""What others reported, by name: "auc", "tpr", "tnr", "f1"; on patients of their own."""


@dataclass(frozen=True)
class Table:
    """What is shown, and of whom: the caption always names the data."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table for a CARD.md, the caption above it."""
        lines = [self.header, tuple("---" for _ in self.header), *self.rows]
        return "\n".join([self.caption, "", *("| " + " | ".join(line) + " |" for line in lines)])


def tables(evaluation: Evaluation, published: Published | None = None) -> list[Table]:
    """Return every table for which something was measured."""
    made = (
        _discrimination(evaluation, published or {}),
        _confusion(evaluation),
        _predictive(evaluation),
        _calibration(evaluation),
        _otherwise(evaluation),
        _strata(evaluation, "AUC", lambda stratum: (stratum.auc, stratum.n if stratum.sick else 0)),
        _strata(evaluation, "Sensitivity", lambda stratum: (stratum.tpr, stratum.sick)),
        _strata(evaluation, "Specificity", lambda stratum: (stratum.tnr, stratum.n - stratum.sick)),
        _baselines(evaluation),
        _pointing(evaluation),
        _survival(evaluation),
    )
    return [table for table in made if table.rows]


def shown(estimate: Estimate | None, digits: int = 3) -> str:
    """Return a number with its interval, and a dash where there is none."""
    if estimate is None or math.isnan(estimate.value):
        return "-"
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def shown_p(p: float | None) -> str:
    """Return a p-value as papers print it."""
    if p is None or math.isnan(p):
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _table(evaluation: Evaluation, caption: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    return Table(f"{caption} ({evaluation.data})", tuple(header), tuple(tuple(row) for row in rows))


def _discrimination(evaluation: Evaluation, published: Published) -> Table:
    rows = [
        (name, *map(str, (site.n, site.patients, site.sick)), *map(shown, _measures(site)))
        for name, site in evaluation.sites.items()
    ]
    rows.append((f"mean of {', '.join(evaluation.mean.sites)}", "", "", "", *map(shown, _measures(evaluation.mean))))
    for name, baseline in evaluation.baselines.items():
        rows.append((f"{name}, no model: mean", "", "", "", shown(baseline.mean_auc), *[""] * 5))
    for name, said in published.items():
        numbers = (f"{said[measure]:.3f}" if measure in said else "" for measure in ("auc", "tpr", "tnr"))
        f1 = f"{said['f1']:.3f}" if "f1" in said else ""
        rows.append((f"{name}: other patients, not comparable directly", "", "", "", *numbers, "", "", f1))
    return _table(
        evaluation,
        f"Discrimination by site at the frozen threshold {evaluation.threshold:g}, with 95 % intervals from"
        f" {evaluation.resamples:,} resamples clustered by patient",
        ("site", "scans", "patients", "sick scans", "AUC", "TPR", "TNR", "FPR", "FNR", "F1"),
        rows,
    )


def _measures(of: Site | Mean) -> tuple[Estimate, ...]:
    return of.auc, of.tpr, of.tnr, of.tnr.complement(), of.tpr.complement(), of.f1


def _confusion(evaluation: Evaluation) -> Table:
    return _table(
        evaluation,
        "Scans by truth and answer",
        (
            "site",
            "sick, called positive",
            "sick, called negative",
            "healthy, called positive",
            "healthy, called negative",
        ),
        ((name, *map(str, site.confusion.values())) for name, site in evaluation.sites.items()),
    )


def _predictive(evaluation: Evaluation) -> Table:
    rows = [
        (f"{float(prevalence):.1%}", name, shown(site.ppv[prevalence], 4), shown(site.npv[prevalence], 4))
        for prevalence in next(iter(evaluation.sites.values())).ppv
        for name, site in evaluation.sites.items()
    ]
    return _table(evaluation, "Predictive values by prevalence", ("prevalence", "site", "PPV", "NPV"), rows)


def _calibration(evaluation: Evaluation) -> Table:
    return _table(
        evaluation,
        "Calibration",
        ("site", "Brier score", "slope", "intercept", "adaptive expected error"),
        (
            (name, *map(shown, (site.brier, site.slope, site.intercept, site.ece)))
            for name, site in evaluation.sites.items()
        ),
    )


def _otherwise(evaluation: Evaluation) -> Table:
    def row(name: str) -> tuple[str, ...]:
        site, seeds = evaluation.sites[name], evaluation.sites[name].training_seeds
        return (
            name,
            f"{shown(site.first_scan.auc)}, n = {site.first_scan.n}",
            shown(site.balanced.auc if site.balanced else None),
            shown(site.balanced.f1 if site.balanced else None),
            f"{seeds.mean:.3f}, deviation {seeds.deviation:.3f} of {seeds.seeds}" if seeds else "-",
        )

    return _table(
        evaluation,
        f"The same model asked otherwise: first scans, median of {DRAWS} balanced sets of {SIZE}, other training seeds",
        ("site", "AUC, first scans", "AUC, balanced", "F1, balanced", "AUC, training seeds"),
        map(row, evaluation.sites),
    )


def _strata(evaluation: Evaluation, what: str, measure: Callable[[Stratum], tuple[Estimate | None, int]]) -> Table:
    def cell(stratum: Stratum | None) -> str:
        estimate, n = measure(stratum) if stratum else (None, 0)
        if not n:
            return ""
        return f"{shown(estimate)}, n = {n}" if estimate else f"n = {n}"

    sites = evaluation.sites.values()
    bands = dict.fromkeys((column, band) for site in sites for column, part in site.strata.items() for band in part)
    rows = [(column, band, *(cell(site.strata[column].get(band)) for site in sites)) for column, band in bands]
    return _table(
        evaluation,
        f"{what} by strata, n scans each; small ones by number only, and a band of sick scans against all healthy ones",
        ("column", "band", *evaluation.sites),
        (row for row in sorted(rows, key=lambda row: row[0]) if any(row[2:])),
    )


def _baselines(evaluation: Evaluation) -> Table:
    rows = []
    for name, baseline in evaluation.baselines.items():
        for site, beaten in baseline.sites.items():
            rows.append((name, site, shown(beaten.auc), shown(beaten.difference), shown_p(beaten.delong_p)))
        rows.append((name, "mean", shown(baseline.mean_auc), shown(baseline.mean_difference), ""))
    header = ("baseline", "site", "AUC", "AUC of the model minus it", "DeLong's p, first scans")
    return _table(evaluation, "Baselines that need no model, in the same draws of patients", header, rows)


def _pointing(evaluation: Evaluation) -> Table:
    rows = [
        (
            name,
            *(
                f"{shown(pointing.sites[site])}, n = {pointing.n[site]}" if site in pointing.sites else ""
                for site in evaluation.sites
            ),
            shown(pointing.mean),
        )
        for name, pointing in evaluation.pointing_game.items()
    ]
    caption = "Pointing game: how often the hottest place lies within one cell of a lesion"
    return _table(evaluation, caption, ("map", *evaluation.sites, "mean"), rows)


def _survival(evaluation: Evaluation) -> Table:
    def row(name: str, fate: Outcome) -> tuple[str, ...]:
        return (
            name,
            str(fate.patients),
            str(fate.deaths),
            shown(fate.hazard_ratio),
            shown_p(fate.logrank_p),
            shown(fate.c_index),
            shown(fate.c_index_of_burden),
        )

    cohorts = {"followed": evaluation.survival, "null: hazard ignores disease": evaluation.null_survival}
    return _table(
        evaluation,
        f"Outcome from the first scan on, stratified by site ({', '.join(evaluation.mean.sites)})",
        (
            "cohort",
            "patients",
            "deaths",
            "hazard ratio, positive",
            "log-rank p",
            "C-index, probability",
            "C-index, true burden",
        ),
        (row(name, fate) for name, fate in cohorts.items() if fate),
    )
