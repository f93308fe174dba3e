"""Is this object a delayed Tc-99m bone scan? If not, the sentence that says why; if it is, what a reader must know.

Geometry alone does not tell: iodine, MIBG and PSMA scans and blood pools have the same shape, and a blood pool
imitates cardiac uptake. What the header contradicts is declined; what it leaves out is noted and read.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    NuclearMedicineImageStorage,
    SecondaryCaptureImageStorage,
)

from scintiflow.dicom.header import (
    acquired_at,
    birth_date,
    code_of,
    frame_count,
    items,
    number,
    numbers,
    plain,
    since_injection,
    text,
    values,
    windows,
)
from scintiflow.errors import Declined

ADULT_YEARS = 18
DELAY = (timedelta(hours=2), timedelta(hours=5))
"""From injection to scan: before it blood still shows, after it counts are too few (EANM: 2 to 5 hours)."""

PYROPHOSPHATE_DELAY = (timedelta(hours=1), DELAY[1])
PHOTOPEAK_KEV = 140.5
WINDOW_KEV = (100.0, 180.0)
"""A window that reaches beyond these is open to other nuclides and to scatter."""

HIGHEST_LOSSY_RATIO = 100.0
"""Lossy compression we read: the NEMA bone scan still shows its ribs at 76:1 and is a blur at 2,097:1.

100:1 leaves 0.16 bit a pixel of 16 bits, far beyond what any archive uses for nuclear medicine.
"""

LEAST_ROWS = 256
LEAST_ASPECT = 2.0
"""Rows for each column: 1024 x 256 is usual, 512 x 256 the widest that whole-body scans come in."""

CARDIAC_ONLY = "Pyrophosphate was injected: only cardiac uptake can be judged on this scan."

# What a reader must know begins with its name and a colon: a table has room for the name.
TRACER_UNKNOWN = "Tracer unknown: the header does not name it; the scan was read as a bone scan."
NUCLIDE_UNKNOWN = "Nuclide unknown: the header names neither it nor an energy window; Tc-99m was assumed."
DELAY_UNKNOWN = "Delay unknown: the header does not say how long after injection it was; a delayed scan was assumed."
AGE_UNKNOWN = "Age unknown: the header does not give it; an adult was assumed."

_RETIRED_NM = UID("1.2.840.10008.5.1.4.1.1.5")
_CAPTURES = (SecondaryCaptureImageStorage, MultiFrameGrayscaleWordSecondaryCaptureImageStorage)
_SCANS = (NuclearMedicineImageStorage, _RETIRED_NM, *_CAPTURES)
_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K)

_TECHNETIUM = Code("72454006", "SCT", "")
_PYROPHOSPHATE = Code("764821009", "SCT", "")
_BONE_TRACERS = (
    Code("96390006", "SCT", "medronate, MDP"),
    Code("53951001", "SCT", "oxidronate, HDP"),
    Code("111162007", "SCT", "etidronate, HEDP"),
)

_EARLY = re.compile(
    r"\b(blood ?pool|blutpool|pool sanguin|early|frue?h\w*|precoce|flow|perfusion\w*|angio\w*|vascular|phase [12])\b"
)
_DELAYED = re.compile(r"\b(delayed|late|spat\w*|spaet\w*|tardi\w*)\b")
_PYROPHOSPHATE_NAMED = re.compile(r"\b(tc)?m?(pyp|pyrophos\w*)\b")
_BONE_TRACER_NAMED = re.compile(
    r"\b(tc)?m?(mdp|hdp|hmdp|dpd|hedp|medron\w*|oxidron\w*|etidron\w*|butedron\w*|\w*phosphon\w*|teceos|osteocis)\b"
)
_SKELETON_NAMED = re.compile(r"\b(bones?|skelet\w*|knochen\w*|osseuse|osseux|ossea|osea|botscan)\b")
_OTHERS_NAMED = {
    "MIBG": r"mibg|iobenguane",
    "PSMA": r"psma|trofolastat",
    "a somatostatin analogue": r"octreo\w*|hynic|tektrotyd|dota\w*|depreotid\w*",
    "a heart tracer": r"(sesta)?mibi|tetrofosmin|myoview|cardiolite",
    "pertechnetate": r"pertechn\w*",
    "iodine": r"(radio)?[ij]od\w*|thyroid\w*|schilddruse\w*|i 12[345]|12[345] i|i 131|131 i",
    "gallium": r"gallium|ga 6[78]|6[78] ga",
    "thallium": r"thallium|tl 201|201 tl",
    "indium": r"indium|in 111|111 in",
    "a therapeutic nuclide": r"lutetium|lu 177|177 lu|samarium|sm 153|153 sm|radium|ra 223|223 ra",
    "white blood cells": r"leu[ck]o\w*|wbc|granulo\w*|scintimun|besilesomab|sulesomab|hmpao|exametazime",
    "red blood cells": r"rbc|erythro\w*",
    "a colloid": r"\w*[ck]olloid\w*|lymphoscint\w*|sentinel",
    "a kidney tracer": r"dmsa|dtpa|mag ?3",
}
_OTHER_TRACERS = {name: re.compile(rf"\b({words})\b") for name, words in _OTHERS_NAMED.items()}
_TECHNETIUM_NAMED = re.compile(r"\b(tc ?99|99 ?m?tc|technetium)")
_GE_NUCLIDE = (0x0011, 0x100D)

_NO_SCAN = {
    "STATIC": "a static view",
    "DYNAMIC": "a dynamic series",
    "GATED": "a gated series",
    "TOMO": "a SPECT acquisition",
    "GATED TOMO": "a SPECT acquisition",
    "RECON TOMO": "a SPECT reconstruction",
    "RECON GATED TOMO": "a SPECT reconstruction",
}

Tracer = Literal["bone", "pyrophosphate", "unknown"]


def judge(header: Dataset, encoded_bytes: int | None = None) -> tuple[str, ...]:
    """Decide whether an object is a delayed Tc-99m whole-body bone scan of an adult.

    Args:
        header: the object without its pixels; its file meta information tells how they are compressed.
        encoded_bytes: length of the stored object, from which a lossy compression ratio follows when none is stated.

    Returns:
        What the header left out or a reader must know, as sentences that every result says.

    Raises:
        Declined: it is something else; the sentence names what.
    """
    _require_planar_scan(header)
    _require_counts(header)
    _require_whole_body(header)
    nuclide_note = _nuclide_note(header)
    tracer = _tracer(header)
    notes = (
        nuclide_note,
        {"bone": None, "pyrophosphate": CARDIAC_ONLY, "unknown": TRACER_UNKNOWN}[tracer],
        _delay_note(header, tracer),
        _age_note(header),
        _compression_note(header, encoded_bytes),
    )
    return tuple(note for note in notes if note)


def tracer_of(notes: Iterable[str]) -> Tracer:
    """Return the tracer of a scan by what `judge` noted about it."""
    said = set(notes)
    return "pyrophosphate" if CARDIAC_ONLY in said else "unknown" if TRACER_UNKNOWN in said else "bone"


def photopeak_frames(header: Dataset) -> tuple[int, ...]:
    """Return the frames of the photopeak window, counted from 1; the first window when none is described.

    Raises:
        Declined: every frame lies in a scatter window.
    """
    window_of = windows(header)
    described = _photopeak_windows(header)
    photopeak = sorted(set(window_of) & described) if described is not None else sorted(set(window_of))
    if not photopeak:
        raise Declined("The object holds no frame of the 140 keV window: send the photopeak frames.")
    return tuple(frame for frame, window in enumerate(window_of, start=1) if window == photopeak[0])


def is_processed(header: Dataset) -> bool:
    """Tell whether the object is derived from another one (Image Type value 1, PS3.3 C.7.6.1.1.2)."""
    return _image_type(header)[0] != "ORIGINAL"


def _image_type(header: Dataset) -> tuple[str, str, str, str]:
    """Return the four values of Image Type for NM (PS3.3 C.8.4.9.1.1), "" where absent."""
    stated = [value.upper().replace("_", " ") for value in values(header, "ImageType")]
    first, second, kind, source = (*stated, "", "", "", "")[:4]
    return first, second, "WHOLE BODY" if kind == "WHOLEBODY" else kind, source


def _require_planar_scan(header: Dataset) -> None:
    sop_class = UID(text(header, "SOPClassUID"))
    if sop_class not in _SCANS:
        what = sop_class.name if sop_class.name != sop_class else "foreign"
        raise Declined(f"This is a {what} object; only planar nuclear medicine scans are read.")
    if text(header, "Modality") != "NM":
        raise Declined("The modality of this object is not NM; only nuclear medicine scans are read.")
    _, _, kind, source = _image_type(header)
    if kind in _NO_SCAN:
        raise Declined(f"This is {_NO_SCAN[kind]}; only planar whole-body scans are read.")
    if source == "TRANSMISSION":
        raise Declined("This is a transmission scan; only emission scans are read.")


def _require_counts(header: Dataset) -> None:
    """A screen capture has lost the counts, and may carry text that a model would read as uptake."""
    bits = number(header, "BitsStored") or number(header, "BitsAllocated") or 0
    if (number(header, "SamplesPerPixel") or 1) > 1 or not text(header, "PhotometricInterpretation").startswith("MONO"):
        raise Declined("This is a colour picture, such as a screen capture; send the scan with its counts.")
    if bits <= 8:
        raise Declined("This picture has 8 bits or fewer, such as a screen capture; send the scan with its counts.")
    if text(header, "BurnedInAnnotation") == "YES":
        raise Declined("Text is burned into this picture, such as a screen capture; send the scan with its counts.")


def _require_whole_body(header: Dataset) -> None:
    rows, cols = number(header, "Rows") or 0, number(header, "Columns") or 0
    stated = _image_type(header)[2] == "WHOLE BODY"
    if stated and rows <= cols:
        raise Declined("This picture is not taller than it is wide; send one frame for each view of the whole body.")
    if not stated and (rows < LEAST_ROWS or rows < LEAST_ASPECT * cols):
        raise Declined("This picture has not the shape of a whole-body scan; only whole-body scans are read.")
    frame_count(header)


def _nuclide_note(header: Dataset) -> str | None:
    doses = items(header, "RadiopharmaceuticalInformationSequence")
    stated = [code_of(item) for dose in doses for item in items(dose, "RadionuclideCodeSequence")]
    other = next(filter(None, (_meaning(code, codes.cid18.concepts.values()) for code in stated)), None)
    technetium = any(code == _TECHNETIUM for code in stated)
    if other and not technetium:
        raise Declined(f"The radionuclide is {other}; only Tc-99m bone scans are read.")
    photopeak = _photopeak_windows(header)
    if photopeak is not None and not photopeak:
        raise Declined(
            "No energy window lies around 140 keV, the photopeak of Tc-99m; only Tc-99m bone scans are read."
        )
    named = _TECHNETIUM_NAMED.search(plain(_dose_text(header)))
    return None if technetium or photopeak or named else NUCLIDE_UNKNOWN


def _photopeak_windows(header: Dataset) -> set[int] | None:
    """Return the numbers of the windows around 140 keV; None when the header describes no window."""
    described = [
        (window, number(limits, "EnergyWindowLowerLimit"), number(limits, "EnergyWindowUpperLimit"))
        for window, item in enumerate(items(header, "EnergyWindowInformationSequence"), start=1)
        for limits in items(item, "EnergyWindowRangeSequence")
    ]
    ranges = [(window, low, high) for window, low, high in described if low and high]
    if not ranges:
        return None
    least, most = WINDOW_KEV
    return {window for window, low, high in ranges if least <= low <= PHOTOPEAK_KEV <= high <= most}


def _tracer(header: Dataset) -> Tracer:
    """Find the tracer: by code, then by the name of the drug, then by what the series and the study are called."""
    for dose in items(header, "RadiopharmaceuticalInformationSequence"):
        for code in map(code_of, items(dose, "RadiopharmaceuticalCodeSequence")):
            if code == _PYROPHOSPHATE:
                return "pyrophosphate"
            if any(code == bone for bone in _BONE_TRACERS):
                return "bone"
            if other := _meaning(code, codes.cid25.concepts.values()):
                raise Declined(f"The tracer is {other}; only bone scans are read.")
    series = text(header, "SeriesDescription", "ProtocolName", "ImageID")
    texts = (_dose_text(header), series, text(header, "StudyDescription"))
    return next(filter(None, map(_named_tracer, texts)), "unknown")


def _named_tracer(written: str) -> Tracer | None:
    words = plain(written)
    if _PYROPHOSPHATE_NAMED.search(words):
        return "pyrophosphate"
    if _BONE_TRACER_NAMED.search(words):
        return "bone"
    if _SKELETON_NAMED.search(words):
        return "unknown"
    other = next((name for name, pattern in _OTHER_TRACERS.items() if pattern.search(words)), None)
    if other:
        raise Declined(f"The tracer is {other} by what the header calls the scan; only bone scans are read.")
    return None


def _dose_text(header: Dataset) -> str:
    doses = items(header, "RadiopharmaceuticalInformationSequence")
    sequences = ("RadionuclideCodeSequence", "RadiopharmaceuticalCodeSequence")
    meanings = [code_of(item).meaning for dose in doses for of in sequences for item in items(dose, of)]
    drugs = [text(dose, "Radiopharmaceutical") for dose in (header, *doses)]
    return " ".join([*drugs, *meanings, text(header, _GE_NUCLIDE)])


def _meaning(code: Code, known: Iterable[Code]) -> str | None:
    """Return what the standard calls `code`: never the header's own words, which could hold anything."""
    return next((" ".join(one.meaning.replace("^", " ").split()) for one in known if one == code), None)


def _delay_note(header: Dataset, tracer: Tracer) -> str | None:
    said = plain(text(header, "SeriesDescription", "ImageID"))
    if _EARLY.search(said) and not _DELAYED.search(said):
        raise Declined("The series is called an early phase or a blood pool; only delayed bone scans are read.")
    passed = since_injection(header)
    if passed is None:
        return DELAY_UNKNOWN
    earliest, latest = PYROPHOSPHATE_DELAY if tracer == "pyrophosphate" else DELAY
    if not earliest <= passed <= latest:
        hours, minutes = divmod(round(passed.total_seconds() / 60), 60)
        raise Declined(
            f"The scan began {hours} h {minutes:02d} min after injection; delayed bone scans are read, "
            f"{earliest.seconds // 3600} to {latest.seconds // 3600} hours after it."
        )
    return None


def _age_note(header: Dataset) -> str | None:
    years = _years(header)
    if years is None:
        return AGE_UNKNOWN
    if years < ADULT_YEARS:
        raise Declined("The patient is a child; only scans of adults are read.")
    return None


def _years(header: Dataset) -> int | None:
    """Return the patient's age at the scan in full years; None when it is not said or cannot be true."""
    born, scanned = birth_date(header), acquired_at(header)
    if born and scanned:
        years = scanned.year - born.year - ((scanned.month, scanned.day) < (born.month, born.day))
        return years if years >= 0 else None
    age = re.fullmatch(r"(\d{3})([DWMY])", text(header, "PatientAge"))
    return int(age[1]) // {"D": 366, "W": 53, "M": 12, "Y": 1}[age[2]] if age else None


def _compression_note(header: Dataset, encoded_bytes: int | None) -> str | None:
    ratio = _lossy_ratio(header, encoded_bytes)
    if ratio > HIGHEST_LOSSY_RATIO:
        raise Declined(
            f"The scan was compressed with loss at {ratio:.0f}:1, which leaves a blur; "
            f"send one compressed without loss, or at most {HIGHEST_LOSSY_RATIO:.0f}:1."
        )
    if ratio > 1:
        return f"Lossy image: the scan was compressed with loss at {ratio:.0f}:1."
    return "Lossy image: the scan was compressed with loss." if text(header, "LossyImageCompression") == "01" else None


def _lossy_ratio(header: Dataset, encoded_bytes: int | None) -> float:
    """Return the worst lossy compression the pixels went through, as stated or as the length of the object shows.

    The stated ratio counts after decompression too (PS3.3 C.7.6.1.1.5). The one from the length is too low, because
    the header is part of the length, but it cannot be left out or wrong. 0.0: none known.
    """
    stated = max(numbers(header, "LossyImageCompressionRatio"), default=0.0)
    syntax = getattr(header, "file_meta", Dataset()).get("TransferSyntaxUID")
    if not encoded_bytes or syntax not in _LOSSY:
        return stated
    pixels = (number(header, "Rows") or 0) * (number(header, "Columns") or 0) * frame_count(header)
    return max(stated, pixels * (number(header, "BitsAllocated") or 16) / 8 / encoded_bytes)
