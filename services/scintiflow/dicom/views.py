"""Which frame is anterior? Decided by evidence, never by the picture, and recorded with the rule that decided.

Real scans rarely carry a coded view, so weaker evidence is asked in turn:

1. the coded view of the detector (View Code Sequence, CID 26);
2. the angle at which the detector stands: 180 looks at the front, 0 or 360 at the back (Start Angle, PS3.3 C.8.4.11);
3. the names that GE consoles give each picture: ANT / POST, or an ending _E (anterior) or _F (posterior);
4. words in Image ID, Series Description or a free-text view;
5. the order of the detectors, or of the frames: a guess, and said to be one.

The first rank that speaks decides. A lower one that contradicts it is flagged. A rank that contradicts itself
needs a person.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, View
from scintiflow.dicom.header import code_of, detectors, frame_count, items, number, plain, text, values, windows
from scintiflow.errors import Refused

ANGLE_TOLERANCE = 15.0
"""Degrees that a whole-body camera may stand off 0 or 180 and still see the back or the front."""

_CODED = ((codes.SCT.AnteriorProjection, VIEW_ANTERIOR), (codes.SCT.PosteriorProjection, VIEW_POSTERIOR))
_GE_NAMES = ((0x0011, 0x1012), (0x0011, 0x1030))
_GE_CREATOR = (0x0011, 0x0010)

_ANTERIOR_WORD = re.compile(r"\b(ant|anteri\w*|ventral\w*|vorne?)\b")
_POSTERIOR_WORD = re.compile(
    r"\b(posteri\w*|dorsal\w*|hinten|post?(?! ?(inj|i\b|therap|op|surg|treat|chemo|rad|void)))\b"
)

_SIDE = {VIEW_ANTERIOR: "anterior", VIEW_POSTERIOR: "posterior"}
_OPPOSITE = {VIEW_ANTERIOR: VIEW_POSTERIOR, VIEW_POSTERIOR: VIEW_ANTERIOR}

_GUESSED = "Only the order of the {things} says that this is the {view} view: the first is taken as anterior."
_MATCHED = "The header does not say which detector made which frame: they were matched by their order."
_UNKNOWN = "Nothing in the header says whether this is the anterior or the posterior view."

Opinion = Sequence[frozenset[View]]
"""What one kind of evidence says: for each frame the views it names (none, one, or two that contradict)."""

_SILENT: frozenset[View] = frozenset()


class FrameView(NamedTuple):
    """Which view one frame shows, and how that is known."""

    frame: int
    """Counted from 1, as DICOM does."""
    view: "View | None"
    """None when nothing tells."""
    rule: str
    """The evidence that decided, e.g. "view code"; "" when nothing tells."""
    confidence: Literal["high", "low"]
    flags: tuple[str, ...]
    """Sentences: contradictions and guesses behind this view."""


class _Rank(NamedTuple):
    rule: str
    opinion: Opinion
    doubt: str = ""
    """Why this rank is trusted little; "" when it is trusted."""
    guess: bool = False
    """A guess never contradicts evidence."""


def views_of(header: Dataset) -> tuple[FrameView, ...]:
    """Tell for every frame of an object whether it is the anterior or the posterior view.

    Raises:
        Refused: one kind of evidence contradicts itself, so that a person must look.
        Declined: more frames than a whole-body scan has.
    """
    ranks = _ranks(header)
    decided = [_decide(index, ranks) for index in range(frame_count(header))]
    return tuple(_told_apart(decided, windows(header), [rank.rule for rank in ranks]))


def _decide(index: int, ranks: Sequence[_Rank]) -> FrameView:
    """Let the first rank that names a view for this frame decide, and flag the lower ones that say the opposite."""
    for place, rank in enumerate(ranks):
        if not rank.opinion[index]:
            continue
        if len(rank.opinion[index]) > 1:
            raise Refused(
                f"The {rank.rule} calls one frame both anterior and posterior: correct the header and send it again."
            )
        (view,) = rank.opinion[index]
        against = [
            f"The {lower.rule} says {_SIDE[_OPPOSITE[view]]}, but the {rank.rule} says {_SIDE[view]} and was followed."
            for lower in ranks[place + 1 :]
            if lower.opinion[index] == {_OPPOSITE[view]} and not lower.guess
        ]
        doubts = [rank.doubt.format(view=_SIDE[view])] if rank.doubt else []
        return FrameView(index + 1, view, rank.rule, "low" if doubts or against else "high", (*doubts, *against))
    return FrameView(index + 1, None, "", "low", (_UNKNOWN,))


def _told_apart(decided: Sequence[FrameView], window_of: Sequence[int], rules: Sequence[str]) -> list[FrameView]:
    """Make sure that no energy window shows one view twice: the frame with the weaker evidence is the other view."""
    apart = list(decided)
    for window in set(window_of):
        for view in _SIDE:
            same = [one for one, its in zip(apart, window_of, strict=True) if its == window and one.view == view]
            if len(same) > 1:
                weaker = _turned(same, view, rules)
                apart[weaker.frame - 1] = weaker
    return apart


def _turned(same: Sequence[FrameView], view: View, rules: Sequence[str]) -> FrameView:
    """Return the weaker of two frames that both claim to be `view`, as the opposite view."""
    first, *others = sorted(same, key=lambda one: rules.index(one.rule))
    if len(others) > 1 or others[0].rule == first.rule:
        raise Refused(
            f"The {first.rule} calls more than one frame of an object {_SIDE[view]}: "
            "correct the header and send it again."
        )
    other = _OPPOSITE[view]
    flag = (
        f"The {others[0].rule} says {_SIDE[view]}, but by its {first.rule} that is the other frame: "
        f"this one was taken as {_SIDE[other]}."
    )
    return others[0]._replace(view=other, confidence="low", flags=(*others[0].flags, flag))


def _ranks(header: Dataset) -> list[_Rank]:
    """Return all evidence, strongest first.

    What is said of a detector counts for a frame only if the header says which detector made it; else the names of
    the frames come first, and detectors are matched to frames by their order.
    """
    stated = detectors(header) or _only_detector(header)
    assumed = stated or _places(header)
    doubt = "" if stated else _MATCHED
    of_detectors = [
        _Rank("view code", _by_detector(header, assumed, _coded), doubt),
        _Rank("start angle", _angles(header, assumed), doubt),
    ]
    of_frames = [
        _Rank("picture name", _names(header, assumed)),
        _Rank("description", _words(header, assumed)),
    ]
    if stated:
        return [*of_detectors, *of_frames, _guess("detector", header, stated)]
    return [*of_frames, *of_detectors, _guess("frame", header, assumed)]


def _guess(thing: str, header: Dataset, order: Sequence[int]) -> _Rank:
    """The first of two detectors (or frames) is most often the anterior one; one alone says nothing."""
    declared = int(number(header, "NumberOfDetectors") or 1)
    several = max(*order, len(items(header, "DetectorInformationSequence")), declared if thing == "detector" else 1) > 1
    first_two = {1: frozenset({VIEW_ANTERIOR}), 2: frozenset({VIEW_POSTERIOR})}
    opinion = [first_two.get(place, _SILENT) if several else _SILENT for place in order]
    return _Rank(f"{thing} order", opinion, _GUESSED.format(things=f"{thing}s", view="{view}"), guess=True)


def _only_detector(header: Dataset) -> tuple[int, ...] | None:
    """Without a Detector Vector, a single detector made every frame."""
    return (1,) * frame_count(header) if len(items(header, "DetectorInformationSequence")) == 1 else None


def _places(header: Dataset) -> tuple[int, ...]:
    """Return the place of each frame within its energy window, counted from 1."""
    window_of = windows(header)
    return tuple(window_of[: index + 1].count(window) for index, window in enumerate(window_of))


def _by_detector(header: Dataset, order: Sequence[int], says: Callable[[Dataset], frozenset[View]]) -> Opinion:
    """Ask `says` of each frame's detector."""
    described = items(header, "DetectorInformationSequence") or (header,)
    said = {place: says(detector) for place, detector in enumerate(described, start=1)}
    return [said.get(place, _SILENT) for place in order]


def _coded(detector: Dataset) -> frozenset[View]:
    """Codes such as antero-posterior (R-10206) say where X-rays come from, which a camera has not: no evidence."""
    stated = [code_of(item) for item in items(detector, "ViewCodeSequence")]
    return frozenset(view for code, view in _CODED if any(code == one for one in stated))


def _angles(header: Dataset, order: Sequence[int]) -> Opinion:
    """Two detectors at one angle is how phantoms and defaults are stored, and is no evidence."""
    opinion = _by_detector(header, order, _angle)
    alike = len(set(opinion)) == 1 and len(set(order)) > 1
    return [_SILENT] * len(opinion) if alike else opinion


def _angle(detector: Dataset) -> frozenset[View]:
    angle = number(detector, "StartAngle")
    if angle is None:
        return _SILENT
    off_back = abs((angle + 180) % 360 - 180)
    if off_back <= ANGLE_TOLERANCE:
        return frozenset({VIEW_POSTERIOR})
    return frozenset({VIEW_ANTERIOR}) if 180 - off_back <= ANGLE_TOLERANCE else _SILENT


def _names(header: Dataset, order: Sequence[int]) -> Opinion:
    if text(header, _GE_CREATOR) and not text(header, _GE_CREATOR).startswith("GEMS_GENIE"):
        return [_SILENT] * len(order)
    return _joined(*(_spread([_named(name) for name in values(header, tag)], order) for tag in _GE_NAMES))


def _words(header: Dataset, order: Sequence[int]) -> Opinion:
    """What an object says of itself counts for a frame only if one detector made all its frames."""
    said = [[_named(name) for name in values(header, keyword)] for keyword in ("ImageID", "SeriesDescription")]
    meanings = _by_detector(header, order, _free_text)
    return _joined(meanings, *(_spread(names, order) for names in said))


def _free_text(detector: Dataset) -> frozenset[View]:
    """Siemens consoles store what the operator typed as a code of scheme 99NMG."""
    return _named(" ".join(code_of(item).meaning for item in items(detector, "ViewCodeSequence")))


def _spread(said: Sequence[frozenset[View]], order: Sequence[int]) -> Opinion:
    """Give each frame its own value, or that of its detector, or the only value if it has the only detector."""
    if len(said) == len(order):
        return said
    if len(said) == max(order):
        return [said[place - 1] if place > 0 else _SILENT for place in order]
    return [_SILENT] * len(order)


def _joined(*opinions: Opinion) -> Opinion:
    return [frozenset().union(*of_frame) for of_frame in zip(*opinions, strict=True)]


def _named(name: str) -> frozenset[View]:
    """Return the view that a name gives; a name with both words (of the whole pair) gives none."""
    if name.endswith("_E"):
        return frozenset({VIEW_ANTERIOR})
    if name.endswith("_F"):
        return frozenset({VIEW_POSTERIOR})
    words = plain(name)
    anterior, posterior = _ANTERIOR_WORD.search(words), _POSTERIOR_WORD.search(words)
    if bool(anterior) == bool(posterior):
        return _SILENT
    return frozenset({VIEW_ANTERIOR if anterior else VIEW_POSTERIOR})
