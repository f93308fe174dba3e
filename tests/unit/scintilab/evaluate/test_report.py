"""What an evaluation and its report promise."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from scintilab.evaluate.card import card
from scintilab.evaluate.checklist import UNANSWERED, filled
from scintilab.evaluate.drawn import Drawn, draw
from scintilab.evaluate.evaluation import CARDIAC_PREVALENCES, Beside, Evaluation, evaluate
from scintilab.evaluate.report import report
from tests.unit.scintilab.evaluate.cohorts import cohort

ARCHIVE = "patients of St. Anna, 2019 <to> 2024"
EDGES = {"metastases": (1, 3, 10), "BMI": (25, 30)}
IBRAHIM = {"Ibrahim 2023": {"auc": 0.897, "tpr": 0.822, "tnr": 0.8045}}


def judged(drawn: Drawn, data: str = "simulated patients") -> Evaluation:
    """Evaluate with everything beside the model."""
    chance, scans = np.random.default_rng(8), drawn.scans
    asked = np.where(scans.truth & (scans.probability >= 0.5), 1.0, np.nan)
    beside = Beside(
        baselines={"hot spots": scans.strata["metastases"] + chance.poisson(6, len(scans))},
        pointing={"map": asked, "random weights": asked * (chance.random(len(scans)) < 0.2)},
        reruns=[np.clip(scans.probability + chance.normal(0, 0.05, len(scans)), 0, 1) for _ in range(3)],
        null=draw(cohort(5, hazard_of_burden=0.0), resamples=100),
    )
    return evaluate(drawn, 0.5, data=data, edges=EDGES, prevalences=CARDIAC_PREVALENCES, beside=beside)


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Three sites, the model made on the first."""
    return draw(cohort(), resamples=200)


@pytest.fixture(scope="module")
def evaluation(drawn: Drawn) -> Evaluation:
    """Everything that is measured."""
    return judged(drawn)


class Page(HTMLParser):
    """What a reader of the page without pictures gets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.alts: list[str | None] = []
        self.sources: list[str] = []
        self.captions: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.alts.append(dict(attrs).get("alt"))
            self.sources.append(dict(attrs).get("src") or "")
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] in ("figcaption", "caption"):
            self.captions.append(data)


def test_document_has_the_layout_that_others_read(evaluation: Evaluation, tmp_path: Path) -> None:
    """`evaluation.json` says of whom it is, and has each measure of each site with its interval."""
    evaluation.write(tmp_path / "evaluation.json")
    document = json.loads((tmp_path / "evaluation.json").read_text())
    assert document["data"] == "simulated patients"
    assert list(document["sites"]) == ["A", "B", "C"]
    for site in document["sites"].values():
        assert site["n"] >= site["patients"] > 0
        for measure in ("auc", "tpr", "tnr", "fpr", "fnr", "f1", "brier"):
            assert site[measure]["low"] <= site[measure]["value"] <= site[measure]["high"]
        assert sum(site["confusion"].values()) == site["n"]
        assert list(site["ppv"]) == list(site["npv"]) == ["0.001", "0.007", "0.011", "0.03"]
        assert site["first_scan"]["n"] == site["patients"]
    assert 0 <= document["logrank_p"] <= 1
    assert set(document["pointing_game"]) == {"map", "random weights"}
    assert set(document["baselines"]["hot spots"]["sites"]["B"]) == {"auc", "difference", "delong_p"}


def test_same_scans_give_the_same_document(evaluation: Evaluation) -> None:
    """Another run over the same table in another order of rows writes the same numbers."""
    scans = cohort()
    again = draw(scans.part(np.random.default_rng(1).permutation(len(scans))), resamples=200)
    plain = [evaluate(drawn, 0.5, edges=EDGES).document() for drawn in (draw(scans, resamples=200), again)]
    assert plain[0] == plain[1]
    assert plain[0]["sites"]["B"]["auc"] == evaluation.document()["sites"]["B"]["auc"]


def test_sites_are_averaged_and_never_pooled(evaluation: Evaluation) -> None:
    """The mean is over the sites that the model was not made on, by scans, whatever the scores of one site are."""
    b, c = evaluation.sites["B"], evaluation.sites["C"]
    assert evaluation.mean.sites == ["B", "C"]
    assert evaluation.mean.auc.value == pytest.approx((b.n * b.auc.value + c.n * c.auc.value) / (b.n + c.n))
    scans = cohort()
    shifted = replace(scans, probability=np.where(scans.site == "C", scans.probability / 10, scans.probability))
    mean = evaluate(draw(shifted, resamples=200), 0.5, edges=EDGES).mean
    assert mean.auc.value == pytest.approx(evaluation.mean.auc.value)


def test_one_site_does_not_change_another(evaluation: Evaluation) -> None:
    """A site by itself has the numbers that it has among others."""
    scans = cohort()
    alone = evaluate(draw(scans.part(scans.site == "B"), resamples=200), 0.5, edges=EDGES)
    assert alone.sites["B"].auc == evaluation.sites["B"].auc
    assert alone.mean.sites == ["B"]


def test_perfect_is_not_certain() -> None:
    """Without an error among 120 patients AUC may be below 0.95, and a positive call at 0.1 % prevalence be wrong."""
    scans = cohort(sites={"A": 9.0})
    site = evaluate(draw(scans, resamples=100), 0.5, edges=EDGES, prevalences=(0.001,)).sites["A"]
    assert site.auc.value == site.tnr.value == 1
    assert site.auc.low < 0.95
    assert site.ppv["0.001"].value == 1
    assert site.ppv["0.001"].low < 0.05


def test_page_opens_and_names_the_data_everywhere(evaluation: Evaluation, drawn: Drawn) -> None:
    """Every picture is in the page and told in words; every caption of picture and table names the patients."""
    page = Page(report("metastasis 1.0.0", evaluation, drawn, published=IBRAHIM))
    assert page.open == []
    assert len(page.alts) == 4
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert all(alt and "simulated patients" in alt for alt in page.alts)
    assert len(page.captions) >= 4 + 9
    assert all("simulated patients" in caption for caption in page.captions)
    assert "AI result, not for diagnostic use, research only." in page.words


def test_archive_says_what_it_is(drawn: Drawn) -> None:
    """A hospital's own words stand at every caption instead, whatever characters they have."""
    page = Page(report("metastasis 1.0.0", judged(drawn, ARCHIVE), drawn))
    assert all(ARCHIVE in caption for caption in page.captions)
    assert not any("simulated" in word for word in page.words)


def test_page_shows_the_numbers_of_the_document(evaluation: Evaluation, drawn: Drawn) -> None:
    """AUC, its interval and what others published stand in page and card alike."""
    page, told = Page(report("metastasis", evaluation, drawn, published=IBRAHIM)), card(evaluation, IBRAHIM)
    for area in (evaluation.sites["B"].auc, evaluation.mean.auc):
        assert str(area) in page.words
        assert f"| {area} |" in told
    assert "| Ibrahim 2023: other patients, not comparable directly |" in told


def test_little_is_enough_for_a_page() -> None:
    """A table of truth and probability alone, of one small site, makes a page without the parts it cannot have."""
    drawn = draw(replace(cohort(each=15, sites={"A": 1.0}), strata={}, fate=None), resamples=50)
    evaluation = evaluate(drawn, 0.5)
    assert evaluation.logrank_p is None
    page = Page(report("cardiac", evaluation, drawn))
    assert len(page.alts) == 3
    assert not any("Outcome" in caption or "Pointing" in caption for caption in page.captions)


def test_site_without_sick_scans_has_what_it_can_have() -> None:
    """A screening site where nobody was sick has a specificity, no AUC, and does not spoil the means or the page."""
    scans = cohort(each=60)
    drawn = draw(scans.part((scans.site != "C") | ~scans.truth), resamples=50)
    evaluation = judged(drawn)
    site = evaluation.document()["sites"]["C"]
    assert site["auc"] == {"value": None, "low": None, "high": None}
    assert 0 < site["tnr"]["value"] < 1
    assert evaluation.mean.auc.value == pytest.approx(evaluation.sites["B"].auc.value)
    assert len(Page(report("cardiac", evaluation, drawn)).alts) == 4


def test_checklists_hold_every_item_and_make_nothing_up(evaluation: Evaluation) -> None:
    """CLAIM has 42 items and STARD 30, four of them in two parts; what nobody wrote is said to be unanswered."""
    claim, stard = ({row[0]: row[2] for row in table.rows} for table in filled(evaluation, {"funding": "None."}))
    assert list(claim) == [str(number) for number in range(1, 43)]
    assert {number.rstrip("ab") for number in stard} == {str(number) for number in range(1, 31)}
    assert (claim["42"], claim["40"], claim["22"]) == ("None.", UNANSWERED, UNANSWERED)
    assert str(evaluation.mean.auc) in claim["36"]
    assert claim["18"].startswith("Nobody can answer this")


def test_checklist_of_an_archive_claims_nothing_of_the_simulation(drawn: Drawn) -> None:
    """What follows from simulating patients is not said of a hospital's."""
    claim, _ = filled(judged(drawn, ARCHIVE), {})
    answers = {row[0]: row[2] for row in claim.rows}
    assert answers["12"] == answers["16"] == UNANSWERED
    assert answers["7"].startswith(ARCHIVE)
