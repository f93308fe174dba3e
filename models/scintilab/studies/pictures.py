"""The pictures of the studies; each says on its face of whom it is."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from scintilab.evaluate.bootstrap import Estimate
from scintilab.evaluate.figures import BLUE, GREY, RED, SMALL, Picture, drawing, picture
from scintilab.evaluate.tables import shown
from scintilab.studies.augmentation import Augmentation
from scintilab.studies.cell import ARMS, Arm
from scintilab.studies.gain import MEAN
from scintilab.studies.privacy import Privacy
from scintilab.studies.quality import Groups, Quality
from scintilab.studies.tables import NAMES

COLORS: dict[Arm, str] = {
    "real": GREY,
    "classic": "#56b4e9",
    "synthetic": RED,
    "shuffled": "#cc79a7",
    "matched": BLUE,
}
"""Told apart by the colour-blind (Okabe and Ito)."""
SHOWN = 6
"""Scans of each kind on the sheet."""

Line = tuple[str, Estimate]


def of_quality(found: Quality, groups: Groups) -> list[Picture]:
    """Draw scans side by side, and what tells them apart."""
    areas = [
        line
        for name, one in found.two_sample.items()
        for line in ((f"{name}: synthetic", one.synthetic), (f"{name}: other real", one.real))
    ]
    caption = "AUC of telling synthetic scans, and other real ones, from real scans; 0.50 is best"
    return [_sheet(found, groups), _dots(found.data, "two-sample", caption, "area under the ROC curve", areas, 0.5)]


def of_privacy(found: Privacy) -> list[Picture]:
    """Draw how near synthetic scans are to patients who were learnt from."""
    lines = [
        line
        for name, audit in found.spaces.items()
        for line in ((f"{name}: synthetic", audit.ratio.synthetic), (f"{name}: other real", audit.ratio.real))
    ]
    caption = "Distance to the nearest training patient over that to the nearest other one, median; 1 is best"
    return [_dots(found.data, "nearest", caption, "ratio", lines, 1.0)]


def of_augmentation(found: Augmentation) -> list[Picture]:
    """Draw AUC by the number of real scans, a panel for each question at the generator's site and outside."""
    caption = "AUC by the number of real scans, with 95 % intervals"
    some = next(iter(found.gains.values()))[str(found.sizes[0])]["real"]
    places = [next(iter(some)), MEAN]
    with drawing(found.data, 4.6 * len(places), 1.2 + 3.4 * len(found.gains), caption) as (figure, buffer):
        panels = figure.subplots(len(found.gains), len(places), squeeze=False, sharex=True)
        for row, question in zip(panels, found.gains, strict=True):
            for axes, site in zip(row, places, strict=True):
                _curves(axes, found, question, site)
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=SMALL)
    words = "; ".join(
        f"{NAMES[question]}, {size} scans, {ARMS[arm]} {shown(lines[MEAN].auc)}"
        for question, sizes in found.gains.items()
        for size, arms in sizes.items()
        for arm, lines in arms.items()
    )
    return [picture(found.data, "gain", buffer.getvalue(), caption, f"Curves of AUC; at external sites: {words}.")]


def _curves(axes: Axes, found: Augmentation, question: str, site: str) -> None:
    sizes = found.gains[question]
    across = np.arange(len(sizes))
    for number, arm in enumerate(ARMS):
        areas = [sizes[size][arm][site].auc for size in sizes]
        # Arms stand a little beside each other, so that intervals can be told apart.
        here, color = across + 0.08 * (number - len(ARMS) // 2), COLORS[arm]
        axes.vlines(here, [area.low for area in areas], [area.high for area in areas], color=color, alpha=0.5)
        axes.plot(here, [area.value for area in areas], "o-", color=color, markersize=4, linewidth=1, label=ARMS[arm])
    axes.set_xticks(across, list(sizes))
    axes.set_xlabel("real scans", fontsize=SMALL)
    axes.set_ylabel("AUC", fontsize=SMALL)
    where = "external sites, mean" if site == MEAN else f"site {site}"
    axes.set_title(f"{NAMES[question]}, {where}", fontsize=10)


def _sheet(found: Quality, groups: Groups) -> Picture:
    """Draw anterior views: real scans above, synthetic ones that were asked to show the same below."""
    count = min(SHOWN, found.scans)
    caption = "Real scans (above), and synthetic scans asked to show the same (below), anterior views"
    rows = np.linspace(0, found.scans, count, endpoint=False).astype(int)
    with drawing(found.data, 1.6 * count, 7.4, caption) as (figure, buffer):
        panels = figure.subplots(2, count, squeeze=False)
        for scans, row in zip((groups.real, groups.synthetic), panels, strict=True):
            for axes, canvas in zip(row, scans.read(rows), strict=True):
                root = np.sqrt(canvas[0])
                axes.imshow(root, cmap="gray_r", vmax=np.percentile(root, 99.7), aspect=2, interpolation="nearest")
                axes.set_axis_off()
    return picture(found.data, "sheet", buffer.getvalue(), caption, f"{count} real and {count} synthetic scans.")


def _dots(data: str, name: str, caption: str, across: str, lines: Sequence[Line], best: float) -> Picture:
    """Draw a number with its interval on each line, and where the best would be."""
    with drawing(data, 8, 1.4 + 0.34 * len(lines), caption) as (figure, buffer):
        axes = figure.subplots()
        for row, (_, found) in enumerate(lines):
            axes.hlines(row, found.low, found.high, color=BLUE, linewidth=2)
            axes.plot(found.value, row, "s", color=BLUE, markersize=6)
            axes.text(1.02, row, shown(found), va="center", transform=axes.get_yaxis_transform(), fontsize=SMALL)
        axes.axvline(best, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=SMALL)
        axes.set_xlabel(across, fontsize=SMALL)
        axes.set_ylim(len(lines) - 0.5, -0.5)
    words = "; ".join(f"{line} {shown(found)}" for line, found in lines)
    return picture(data, name, buffer.getvalue(), caption, f"{caption}: {words}.")
