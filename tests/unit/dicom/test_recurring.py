"""Parts that recur are described and encoded once."""

import io

from pydicom import dcmread
from pydicom.dataset import Dataset

from scintiflow.dicom.recurring import encoded, recurring


def part(meaning: str) -> Dataset:
    """Return a part with a nested one."""
    item, holder = Dataset(), Dataset()
    item.CodeMeaning = meaning
    holder.ConceptNameCodeSequence = [item]
    holder.TextValue = "always the same"
    return holder


def written(holder: Dataset, name: str, character_set: str = "ISO_IR 192") -> bytes:
    """Write an object that holds a part twice, in a character set of its own."""
    whole = Dataset()
    whole.SpecificCharacterSet = character_set
    whole.PatientName = name
    whole.ContentSequence = [holder, holder]
    whole.update(holder)
    file = io.BytesIO()
    whole.save_as(file, implicit_vr=False, little_endian=True)
    return file.getvalue()


def test_what_was_encoded_once_is_written_as_what_was_not() -> None:
    """A part that was encoded before is the same bytes in an object, and reads the same there."""
    plain, again = written(part("Heart"), "Müller"), written(encoded(part("Heart")), "Müller")
    assert again == plain
    whole = dcmread(io.BytesIO(again), force=True)
    assert whole.ContentSequence[1].ConceptNameCodeSequence[0].CodeMeaning == "Heart"


def test_a_part_is_described_once_for_the_same_arguments() -> None:
    """Asked again for the same, nobody describes it; asked for another, somebody does."""
    asked: list[str] = []

    @recurring
    def described(meaning: str) -> Dataset:
        asked.append(meaning)
        return part(meaning)

    first, again, other = described("Heart"), described("Heart"), described("Bone")
    assert again is first
    assert asked == ["Heart", "Bone"]
    assert other.ConceptNameCodeSequence[0].CodeMeaning == "Bone"


def test_a_part_may_be_written_any_number_of_times() -> None:
    """An object that holds a part leaves it as it was, for the next one."""
    kept = encoded(part("Heart"))
    assert [written(kept, name) for name in ("A", "A")] == [written(part("Heart"), "A")] * 2
    assert written(kept, "B") == written(part("Heart"), "B")


def test_text_beyond_ascii_is_written_in_the_character_set_of_each_object() -> None:
    """A part that says "Größe" says so in an object in Latin-1 as in one in UTF-8."""
    kept = encoded(part("Größe"))
    for names in ("ISO_IR 100", "ISO_IR 192"):
        whole = dcmread(io.BytesIO(written(kept, "A", names)), force=True)
        assert whole.ContentSequence[0].ConceptNameCodeSequence[0].CodeMeaning == "Größe"
        assert whole.ConceptNameCodeSequence[0].CodeMeaning == "Größe"
