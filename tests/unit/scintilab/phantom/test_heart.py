"""Where the heart is said to be, and how bright."""

import numpy as np
import pytest

from scintilab.phantom.acquisition import draw_acquisition
from scintilab.phantom.camera import ROWS, expose
from scintilab.phantom.cohort import heart_on_canvas
from scintilab.phantom.disease import HEALTHY, Disease
from scintilab.phantom.heart import heart_at, heart_ratio
from scintilab.phantom.patient import draw_patient


@pytest.mark.parametrize("number", range(3))
def test_uptake_shows_where_the_heart_is(number: int) -> None:
    """Against the healthy twin, counts rise within 4 cm of the heart's place, on the left, and so does the ratio."""
    how = draw_acquisition(9, "A", number)
    patients = [draw_patient(9, "A", number, disease=disease) for disease in (HEALTHY, Disease(False, 2))]
    healthy, sick = (rate[0].numpy() for rate in expose(patients, [how, how]).rate)
    rise = np.clip(sick - healthy, 0, None)
    rise *= rise > 0.5 * rise.max()
    middle = np.argwhere(rise).mean(axis=0)
    assert np.linalg.norm(middle - heart_at(patients[0], how)) * how.camera.pixel < 40
    assert middle[1] > 128
    assert heart_ratio(sick, patients[1], how) > heart_ratio(healthy, patients[0], how) + 0.15


def test_the_canvas_is_half_as_tall() -> None:
    """On the canvas the heart lies in half the row and the same column of the frame."""
    patient, how = draw_patient(9, "A", 0), draw_acquisition(9, "A", 0)
    row, col = heart_at(patient, how)
    assert heart_on_canvas(patient, how) == pytest.approx([row * 512 / ROWS, col])
