"""The picture: what a person sees, and how it points back at the scan."""

import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import dcmread
from pydicom.dataset import Dataset

from scintiflow.contracts.v1.finding_pb2 import HeatMap
from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR
from scintiflow.results import ENCODERS, Reading, drawing
from scintiflow.results.drawing import HEIGHT, WIDTH, draw, influence_of
from tests.unit.results.readings import both_views, finding, heat, left_out, reading, scan, shows

UNMARKED, MARKED_ANTERIOR, MARKED_POSTERIOR = slice(20, 412), slice(436, 628), slice(636, 828)
PANELS = slice(62, 830)
BAND = 52


def encoded(subject: Reading) -> Dataset:
    """Return the picture as a PACS reads it: written and read back."""
    file = io.BytesIO()
    ENCODERS["picture"](subject).save_as(file, enforce_file_format=True)
    return dcmread(io.BytesIO(file.getvalue()))


def read_as(probability: float, *cells: tuple[int, int, float]) -> Reading:
    """Return a reading whose heat map has these cells: row, column, value."""
    source = scan()
    return reading(source, found=finding(both_views(source), probability, map=heat(*cells)))


def colourfulness(drawing: NDArray[np.uint8], columns: slice) -> NDArray[np.int16]:
    """Return how far each pixel of some panels is from grey."""
    return np.ptp(drawing[PANELS, columns].astype(np.int16), axis=2)


def test_the_picture_is_plain_rgb_of_its_drawing() -> None:
    """Any viewer can show it: uncompressed 8-bit RGB, a few megabytes, pixel for pixel what was drawn."""
    subject = reading()
    picture = encoded(subject)
    assert (picture.PhotometricInterpretation, picture.BitsStored, picture.PlanarConfiguration) == ("RGB", 8, 0)
    assert len(picture.PixelData) < 3_500_000
    np.testing.assert_array_equal(picture.pixel_array, draw(subject))
    assert picture.pixel_array.shape == (HEIGHT, WIDTH, 3)


def test_it_points_at_the_frames_it_was_made_of() -> None:
    """Source Image Sequence names the scan and both frames; the body part is the whole body, and nothing is a scan."""
    subject = reading()
    picture = encoded(subject)
    assert picture.SourceImageSequence[0].ReferencedSOPInstanceUID == subject.scan.headers[0].SOPInstanceUID
    assert list(picture.SourceImageSequence[0].ReferencedFrameNumber) == [1, 2]
    assert (picture.BodyPartExamined, picture.ConversionType, picture.BurnedInAnnotation) == ("WHOLEBODY", "WSD", "NO")
    assert picture.Modality != "NM"


@pytest.mark.parametrize("words", [4, 30, 120])
def test_no_text_is_too_long_for_a_picture(words: int) -> None:
    """However much there is to be said of a model, there is a picture, and the disclaimer stands on it whole."""
    usual, source = draw(reading()), scan()
    found = finding(both_views(source), label="word " * words, model_version="word " * words)
    np.testing.assert_array_equal(draw(reading(source, found=found))[-BAND:], usual[-BAND:])


def test_no_pixel_depends_on_who_the_patient_is() -> None:
    """Burned In Annotation is NO because another name, identifier, date or study gives the very same pixels."""
    somebody, other = scan(), scan(name="Roe^Richard", PatientID="P-2", AccessionNumber="A-2", StudyID="S-2")
    first, second = (reading(one, found=finding(both_views(one))) for one in (somebody, other))
    np.testing.assert_array_equal(draw(first), draw(second))


def test_the_scan_stands_unmarked_beside_the_heat_map() -> None:
    """The left pair is grey; the same pair again is coloured where the map is, and only in the view it is in."""
    drawing = draw(read_as(0.95, (8, 7, 5.0)))
    assert colourfulness(drawing, UNMARKED).max() == 0
    assert colourfulness(drawing, MARKED_ANTERIOR).max() > 60
    assert colourfulness(drawing, MARKED_POSTERIOR).max() == 0


def test_the_heat_map_lies_where_the_model_looked() -> None:
    """A cell at row 8, column 7 of the right half colours the posterior at a quarter of its height, left of centre."""
    drawing = draw(read_as(0.95, (8, 16 + 4, 5.0)))
    rows, columns = np.nonzero(colourfulness(drawing, MARKED_POSTERIOR) > 60)
    assert rows.mean() / 768 == pytest.approx(8.5 / 32, abs=0.01)
    assert columns.mean() / 192 == pytest.approx(4.5 / 16, abs=0.02)


def test_a_normal_scan_is_not_painted_as_disease() -> None:
    """Colour fades with the probability: the same map is strong at 0.95 and hardly there at 0.03."""
    strong, pale = (colourfulness(draw(read_as(p, (8, 7, 5.0))), MARKED_ANTERIOR).max() for p in (0.95, 0.03))
    assert pale < strong / 3


def test_the_strength_of_a_map_does_not_depend_on_its_unit() -> None:
    """Maps are not normalised: a thousand times the values gives the same influence."""
    small, large = (influence_of(read_as(0.8, (8, 7, value), (9, 7, value / 2)).finding) for value in (0.01, 10.0))
    np.testing.assert_allclose(small[VIEW_ANTERIOR], large[VIEW_ANTERIOR], rtol=1e-5)
    assert small[VIEW_ANTERIOR].max() == pytest.approx(0.8)


def test_an_empty_map_colours_nothing() -> None:
    """A map without influence is drawn as it is, with no colour anywhere in the views."""
    drawing = draw(read_as(0.95))
    assert colourfulness(drawing, slice(436, 828)).max() == 0


def test_dark_means_more_counts() -> None:
    """The views are drawn in inverse grey: a hot block is darker than the patient around it."""
    subject = reading()
    subject.scan.frames[VIEW_ANTERIOR][100:140, 20:40] *= 8
    drawing = draw(subject)
    assert drawing[62 + 360, 20 + 90].mean() < 10 < drawing[62 + 100, 20 + 90].mean()


def test_views_keep_the_patient_s_proportions() -> None:
    """Pixels that are twice as tall as wide are drawn so: the same matrix becomes twice as slender."""
    source = scan()
    square = reading(source)
    slender = replace(square, scan=replace(square.scan, pixel_mm=(4.8, 2.4)))
    assert draw(square)[400, 20 + 150].tolist() != [255, 255, 255]
    assert draw(slender)[400, 20 + 96 + 4].tolist() == [255, 255, 255]


def test_it_says_which_views_it_was_made_of() -> None:
    """The derivation names both views, or the one that there was."""
    source = scan(1)
    alone = reading(source, found=finding([shows(VIEW_ANTERIOR, source)]))
    assert "over the scan (anterior and posterior), beside" in encoded(reading()).DerivationDescription
    assert "over the scan (anterior), beside" in encoded(alone).DerivationDescription


def test_one_view_is_drawn_alone() -> None:
    """A model that reads the anterior view only gets a picture of that view."""
    source = scan(1)
    subject = reading(source, found=finding([shows(VIEW_ANTERIOR, source)]))
    assert colourfulness(draw(subject), slice(236, 428)).max() > 60  # the marked panel moves up beside the unmarked


def test_more_remarks_than_fit_end_in_a_pointer_to_the_report() -> None:
    """A long list of remarks stays above the disclaimer, which is the same on every picture."""
    source = scan()
    found = finding(
        both_views(source), notes=[f"Remark {i} with several words in it to fill a line." for i in range(40)]
    )
    long = draw(reading(source, found=found, others=[left_out("cardiac", "posterior view missing")]))
    np.testing.assert_array_equal(long[848:], draw(reading(source))[848:])


def test_any_number_of_cells_covers_the_views() -> None:
    """A model with a coarser map than another's is drawn over the whole of both views."""
    source = scan()
    every = HeatMap(height=4, width=4, values=np.ones(16, "<f4").tobytes())
    drawing = draw(reading(source, found=finding(both_views(source), 1.0, map=every)))
    assert colourfulness(drawing, slice(437, 627))[30:-1].min() > 20


def test_drawing_changes_nothing_it_was_given() -> None:
    """Frames and headers are shared with other models' results, so they come back untouched."""
    subject = reading()
    before = {view: counts.copy() for view, counts in subject.scan.frames.items()}
    encoded(subject)
    for view, counts in before.items():
        np.testing.assert_array_equal(counts, subject.scan.frames[view])


PLACES = [("la", (20, 12)), ("md", (116.5, 57)), ("mt", (1002.25, 168)), ("rt", (1140.0, 282)), ("mm", (580.0, 874.5))]


@pytest.mark.parametrize(("anchor", "place"), PLACES)
@pytest.mark.parametrize("size", [13, 20, 40])
def test_a_text_that_is_kept_looks_as_one_that_is_draw(size: int, anchor: str, place: tuple[float, float]) -> None:
    """Pixel for pixel, on white and on colour, wherever it is anchored and between whichever pixels it lies."""
    text = "Region of influence, fjÄgy (0.93)"
    for colour in ((255, 255, 255), (122, 20, 28)):
        sheet = Image.new("RGB", (WIDTH, HEIGHT), colour)
        said = np.array(sheet)
        drawing._say(said, place, text, size, (24, 100, 200), anchor)
        ImageDraw.Draw(sheet).text(place, text, (24, 100, 200), drawing._font(size), anchor=anchor)
        np.testing.assert_array_equal(said, sheet)
