"""The pictures of a report. Each says on its face of whom it is, since pictures travel without their captions."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scintilab.evaluate.bootstrap import Resampled
from scintilab.evaluate.calibration import reliability
from scintilab.evaluate.discrimination import roc
from scintilab.evaluate.drawn import Drawn
from scintilab.evaluate.evaluation import Evaluation
from scintilab.evaluate.survival import Curve, kaplan_meier
from scintilab.evaluate.tables import Published, shown, shown_p

BLUE, RED, GREY = "#0072b2", "#d55e00", "#7a7a7a"
"""Told apart by the colour-blind (Okabe and Ito)."""
_GRID = np.linspace(0, 1, 101)
_BAND = (2.5, 97.5)
SMALL = 9


@dataclass(frozen=True)
class Picture:
    """A PNG, what it shows, and what somebody should know who cannot see it."""

    name: str
    png: bytes
    caption: str
    alt: str


def pictures(evaluation: Evaluation, drawn: Drawn, published: Published | None = None) -> list[Picture]:
    """Draw everything for which something was measured."""
    drawings = [_roc(evaluation, drawn), _forest(evaluation, published or {}), _reliability(evaluation, drawn)]
    if drawn.scans.fate is not None:
        drawings.append(_survival(evaluation, drawn))
    return drawings


def _roc(evaluation: Evaluation, drawn: Drawn) -> Picture:
    def draw(axes: Axes, here: Drawn, site: str) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        measured, scans = evaluation.sites[site], here.scans
        if not scans.pairs():
            axes.text(0.97, 0.05, f"all {measured.n} scans sick, or all healthy", ha="right", fontsize=SMALL)
            return
        found, curves = roc(scans.truth, scans.probability), roc(scans.truth, scans.probability, here.weights)
        band = [np.interp(_GRID, fpr, tpr) for fpr, tpr in zip(*curves, strict=True)]
        low, high = np.nanpercentile(band, _BAND, axis=0)
        axes.fill_between(_GRID, low, high, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(found.fpr, found.tpr, color=BLUE, linewidth=1.5)
        axes.plot(measured.fpr.value, measured.tpr.value, "o", color=RED, markersize=5)
        axes.text(0.97, 0.05, f"AUC {shown(measured.auc)}\n{measured.n} scans", ha="right", fontsize=SMALL)

    caption = "ROC curve of each site with its 95 % band; the dot is the frozen threshold"
    png = _one_a_site(evaluation, drawn, draw, "1 - specificity", "sensitivity", caption)
    areas = "; ".join(f"site {name} {shown(site.auc)}" for name, site in evaluation.sites.items())
    return picture(evaluation.data, "roc", png, caption, f"ROC curves, one panel a site. AUC: {areas}.")


def _reliability(evaluation: Evaluation, drawn: Drawn) -> Picture:
    def draw(axes: Axes, here: Drawn, site: str) -> None:
        truth, probability = here.scans.truth, here.scans.probability
        found, again = reliability(truth, probability), reliability(truth, probability, here.weights)
        shares = [
            Resampled(float(sick), samples).rate(round(share * len(truth)))
            for sick, share, samples in zip(found.observed, found.share, again.observed.T, strict=True)
        ]
        low, high = [share.low for share in shares], [share.high for share in shares]
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        axes.vlines(found.predicted, low, high, color=BLUE, alpha=0.5, linewidth=2)
        axes.plot(found.predicted, found.observed, "o-", color=BLUE, markersize=4, linewidth=1)
        measured = evaluation.sites[site]
        axes.text(0.03, 0.95, f"Brier {shown(measured.brier)}\nslope {shown(measured.slope)}", va="top", fontsize=SMALL)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")

    caption = "Reliability: share of sick scans by predicted probability, ten bins of equal size, with 95 % intervals"
    png = _one_a_site(evaluation, drawn, draw, "predicted probability", "share of sick scans", caption)
    slopes = "; ".join(f"site {name} {shown(site.slope)}" for name, site in evaluation.sites.items())
    return picture(
        evaluation.data, "reliability", png, caption, f"Reliability curves, one panel a site. Slope: {slopes}."
    )


def _survival(evaluation: Evaluation, drawn: Drawn) -> Picture:
    def draw(axes: Axes, here: Drawn, _site: str) -> None:
        fate = here.scans.fate
        if fate is None:
            return
        positive = here.scans.probability >= evaluation.threshold
        for group, color, name in ((~positive, BLUE, "negative"), (positive, RED, "positive")):
            if group.any():
                _steps(axes, kaplan_meier(fate.years[group], fate.died[group]), color, f"{name}, n = {group.sum()}")
        axes.legend(loc="best", frameon=False, fontsize=SMALL)
        axes.set(xlim=(0, None), ylim=(0, 1.02))

    first = drawn.only(drawn.scans.first())
    caption = "Kaplan-Meier curves from each patient's first scan, by the answer at the frozen threshold"
    png = _one_a_site(evaluation, first, draw, "years", "share alive", caption)
    fate = evaluation.survival
    words = (
        f"Over the sites: hazard ratio {shown(fate.hazard_ratio)}, log-rank p {shown_p(fate.logrank_p)}."
        if fate
        else ""
    )
    return picture(evaluation.data, "survival", png, caption, f"Survival curves, one panel a site. {words}")


def _steps(axes: Axes, curve: Curve, color: str, name: str) -> None:
    axes.fill_between(curve.years, curve.low, curve.high, step="post", color=color, alpha=0.15, linewidth=0)
    axes.step(curve.years, curve.alive, where="post", color=color, linewidth=1.5, label=name)


def _forest(evaluation: Evaluation, published: Published) -> Picture:
    mean = evaluation.mean
    lines = [(f"site {name}", site.auc, "s", BLUE) for name, site in evaluation.sites.items()]
    lines.append((f"mean of {', '.join(mean.sites)}", mean.auc, "D", BLUE))
    lines += [(f"{name}, mean", baseline.mean_auc, "o", GREY) for name, baseline in evaluation.baselines.items()]
    caption = "AUC of each site, their weighted mean and the baselines, with 95 % intervals"
    with drawing(evaluation.data, 8, 1.4 + 0.34 * len(lines), caption) as (figure, buffer):
        axes = figure.subplots()
        for row, (_, area, marker, color) in enumerate(lines):
            axes.hlines(row, area.low, area.high, color=color, linewidth=2)
            axes.plot(area.value, row, marker, color=color, markersize=6)
            axes.text(1.02, row, shown(area), va="center", transform=axes.get_yaxis_transform(), fontsize=SMALL)
        said = [(name, numbers["auc"]) for name, numbers in published.items() if "auc" in numbers]
        for (name, value), dashes in zip(said, cycle(("--", "-.", ":")), strict=False):
            axes.axvline(value, color=RED, linewidth=1, linestyle=dashes, label=f"{name}: {value:.3f}, other patients")
        axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_yticks(range(len(lines)), [name for name, *_ in lines], fontsize=SMALL)
        axes.set_xlabel("area under the ROC curve", fontsize=SMALL)
        if said:
            figure.legend(loc="outside lower right", frameon=False, fontsize=SMALL)
        axes.set(ylim=(len(lines) - 0.5, -0.5), xlim=(None, 1.0))
    words = "; ".join(f"{name} {shown(area)}" for name, area, *_ in lines)
    return picture(evaluation.data, "forest", buffer.getvalue(), caption, f"Forest plot of AUC: {words}.")


def _one_a_site(
    evaluation: Evaluation,
    drawn: Drawn,
    draw: Callable[[Axes, Drawn, str], None],
    across: str,
    up: str,
    caption: str,
) -> bytes:
    """Draw a panel for each site, at most three a row, all of one size."""
    sites = drawn.sites()
    columns = min(len(sites), 3)
    rows = -(-len(sites) // columns)
    with drawing(evaluation.data, 3.3 * columns, 0.7 + 3.4 * rows, caption) as (figure, buffer):
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for number, (axes, (site, here)) in enumerate(zip(panels, sites.items(), strict=False)):
            draw(axes, drawn.only(here), site)
            axes.set_title(f"site {site}", fontsize=10)
            axes.set_xlabel(across if number + columns >= len(sites) else "", fontsize=SMALL)
            axes.set_ylabel("" if number % columns else up, fontsize=SMALL)
        for axes in panels[len(sites) :]:
            axes.remove()
    return buffer.getvalue()


@contextmanager
def drawing(data: str, width: float, height: float, caption: str) -> Iterator[tuple[Figure, io.BytesIO]]:
    """Give a figure to draw on, and the PNG of it once it is drawn; of whom it is stands on its face."""
    figure, buffer = Figure(figsize=(width, height), layout="constrained"), io.BytesIO()
    yield figure, buffer
    figure.suptitle(f"{caption}\n{data}", fontsize=10)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.savefig(buffer, format="png", dpi=120, bbox_inches="tight", metadata={"Software": None})


def picture(data: str, name: str, png: bytes, caption: str, alt: str) -> Picture:
    """Return a picture whose caption and words name the data too."""
    return Picture(name, png, f"{caption} ({data})", f"{alt} Data: {data}.")
