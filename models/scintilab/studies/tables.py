"""The numbers of the studies as tables, for a page and for the generator's card alike."""

from collections.abc import Iterable, Iterator

from scintilab.evaluate.tables import Table, shown, shown_p
from scintilab.studies.augmentation import Augmentation
from scintilab.studies.cell import ARMS
from scintilab.studies.compared import Compared
from scintilab.studies.fidelity import Agreement
from scintilab.studies.gain import MEAN
from scintilab.studies.privacy import Privacy
from scintilab.studies.quality import Quality, Shortcut

PERFECT = {
    "Frechet distance": "as real",
    "kernel distance": "0",
    "precision": "as real",
    "recall": "as real",
    "density": "1",
    "coverage": "as real",
}
"""What two sets of scans of one kind would get."""
NAMES = {"metastasis": "bone metastases", "cardiac": "cardiac uptake"}


def of_quality(found: Quality) -> list[Table]:
    """Return what was measured of likeness and labels."""
    equal = f"{found.scans:,} scans each, 95 % intervals from {found.resamples:,} resamples of patients"
    return [
        _table(
            found.data,
            f"Likeness to other real scans, {equal}",
            ("features", "measure", "synthetic", "as many real", "difference", "best"),
            (
                (space, name, shown(one.synthetic), shown(one.real), shown(one.apart), PERFECT[name])
                for space, measures in found.distances.items()
                for name, one in measures.items()
            ),
        ),
        _table(
            found.data,
            "Classifier two-sample test, AUC: 0.50 is best; no person has looked",
            ("what looks", "synthetic or real", "real or other real"),
            ((name, shown(one.synthetic), shown(one.real)) for name, one in found.two_sample.items()),
        ),
        _table(
            found.data,
            "Labels: requested against measured, by a network that the generator has nothing to do with",
            ("what", "scans", "n", "rank correlation", "slope", "R2"),
            _fidelity(found),
        ),
        _table(
            found.data,
            "Heart to contralateral, mean by Perugini grade",
            ("scans", *(f"grade {grade}" for grade in "0123")),
            (
                (scans, *(f"{one.ratios[grade]:.2f}" if grade in one.ratios else "" for grade in "0123"))
                for scans, one in found.fidelity.items()
            ),
        ),
        _table(
            found.data,
            "Served classifiers, AUC of sick against normal scans",
            ("question", "synthetic scans", "phantom scans", "difference"),
            (
                (question, shown(one.synthetic), shown(one.real), shown(one.apart))
                for question, one in found.classifiers.items()
            ),
        ),
        _table(
            found.data,
            "Can sick synthetic scans be told from healthy ones without the disease? AUC",
            ("question", "by", "AUC", "verdict"),
            ((one.question, one.suspect, _areas_of(one), one.words) for one in found.shortcuts),
        ),
    ]


def of_privacy(found: Privacy) -> list[Table]:
    """Return what the audit found."""
    rows = [
        row
        for space, audit in found.spaces.items()
        for row in (
            (space, "nearest training patient to nearest other, ratio", *_three(audit.ratio), "1"),
            (space, "inauthentic", *_three(audit.inauthentic), "as real"),
            (space, "taken for copies", *_three(audit.refused), f"{found.refused:g}"),
            (space, "planted copies that are found", shown(audit.planted), "", "", f"1, of {audit.copies}"),
            (space, "membership, AUC", shown(audit.membership.auc), "", "", "0.50"),
            (space, "membership, found at 1 % false alarms", shown(audit.membership.tpr), "", "", "0.01"),
        )
    ]
    if found.own is not None:
        rows += [
            ("the generator's own", "membership, AUC", shown(found.own.auc), "", "", "0.50"),
            ("the generator's own", "membership, found at 1 % false alarms", shown(found.own.tpr), "", "", "0.01"),
        ]
    caption = (
        f"Memorisation audit of {found.synthetic:,} synthetic scans without noise: {found.training:,} patients learnt "
        f"from, {found.held_out:,} others, and others again in place of synthetic scans"
    )
    return [_table(found.data, caption, ("features", "measure", "synthetic", "real", "difference", "best"), rows)]


def of_augmentation(found: Augmentation) -> list[Table]:
    """Return absolute areas and gains, each question apart."""
    return [measured(found, question) for question in found.gains for measured in (_areas, _gains)]


def _areas(found: Augmentation, question: str) -> Table:
    first = next(iter(next(iter(found.gains[question].values())).values()))
    return _table(
        found.data,
        f"AUC for {NAMES[question]}, mean of {found.seeds} trainings, with 95 % intervals from {found.resamples:,} "
        f"resamples of trainings and patients; {found.multiple} scans added to each real one",
        ("real scans", "learnt from", *(_place(site) for site in first)),
        (
            (size, ARMS[arm], *(shown(line.auc) for line in lines.values()))
            for size, arms in found.gains[question].items()
            for arm, lines in arms.items()
        ),
    )


def _gains(found: Augmentation, question: str) -> Table:
    rows = [
        (size, ARMS[arm], _place(site), shown(line.apart), shown(line.percent, 1), shown_p(line.p))
        for size, arms in found.gains[question].items()
        for arm, lines in arms.items()
        for site, line in lines.items()
        if line.apart is not None
    ]
    paper = ("", "Haberl 2025: other patients, not comparable directly", "external", "", found.published[question], "")
    return _table(
        found.data,
        f"Gain over real scans alone for {NAMES[question]}, in the same draws; p by Holm's rule within an arm",
        ("real scans", "learnt from", "site", "AUC", "percent", "p"),
        [*rows, paper],
    )


def _areas_of(shortcut: Shortcut) -> str:
    return "; ".join(f"{by} {shown(area)}" for by, area in shortcut.areas.items())


def _place(site: str) -> str:
    return "external, mean" if site == MEAN else site


def _fidelity(found: Quality) -> Iterator[tuple[str, ...]]:
    for scans, agreed in found.added.items():
        yield _agreed("load, by what it adds to a healthy twin without noise", scans, agreed)
    for name, field in (("load, with metastases", "load"), ("load, all", "load_of_all"), ("Perugini grade", "grade")):
        for scans, one in found.fidelity.items():
            yield _agreed(name, scans, getattr(one, field))


def _agreed(what: str, scans: str, agreed: Agreement) -> tuple[str, ...]:
    return what, scans, str(agreed.n), shown(agreed.rank), shown(agreed.slope), shown(agreed.r2)


def _three(one: Compared) -> tuple[str, str, str]:
    return shown(one.synthetic), shown(one.real), shown(one.apart)


def _table(data: str, caption: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    return Table(f"{caption} ({data})", tuple(header), tuple(tuple(row) for row in rows))
