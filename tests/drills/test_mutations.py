"""Sound objects with bytes flipped, cut, spliced or lied about: at the door, before the keeper, in the decoder."""

import random
import re
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

import pytest
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from scintiflow.decode import Limits, decode
from scintiflow.dicom.identity import study_folder
from scintiflow.errors import Declined, Refused
from scintiflow.keeper.gather import Decision, gather
from scintiflow.receiver.header import Header, read_header
from scintiflow.receiver.part import file_meta
from scintiflow.store import Store
from tests.corpus.fault import Sent, fresh, sent
from tests.corpus.pixels import compressed, icon, j2k, jls, jpeg, rle, twice

AT_THE_DOOR, BEFORE_THE_KEEPER, IN_THE_DECODER = 12_000, 3_000, 150
HEAD_BYTES = 1 << 16  # so much of an object the receiver has in memory
DOOR_SECONDS, KEEPER_SECONDS = 1.0, 5.0
"""Of CPU for one object. A sound one takes a thousandth of it."""
MEMORY_BYTES = 512 << 20

WORDS = (
    b"\\",
    b"-1",
    b"0",
    b"NaN",
    b"1e999",
    b"\0",
    b"\xff\xff",
    b"\x1b$B",
    b"=^",
    b"99999999",
    b"20250230",
    b"SQ",
    b"UN",
)
LENGTHS = (0, 1, 7, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
VALUE_REPRESENTATION = re.compile(rb"[A-Z]{2}")


def plain(syntax: UID) -> Callable[[], Sent]:
    """Return what builds an uncompressed scan."""

    def build() -> Sent:
        image = fresh()
        image.file_meta.TransferSyntaxUID = syntax
        return sent(image)

    return build


SOUND: tuple[Callable[[], Sent], ...] = (
    plain(ExplicitVRLittleEndian),
    plain(ImplicitVRLittleEndian),
    plain(ExplicitVRBigEndian),
    lambda: icon(1),
    compressed(JPEG2000Lossless, lambda: twice(j2k)),
    compressed(JPEGLSLossless, lambda: twice(jls)),
    compressed(JPEGLosslessSV1, lambda: twice(jpeg)),
    compressed(RLELossless, lambda: rle(b"\x81\x05" * 128)),
)


def flip(data: bytearray, dice: random.Random, place: int) -> None:
    """Change a few bits, near each other."""
    for _ in range(dice.randint(1, 6)):
        data[min(place + dice.randrange(16), len(data) - 1)] ^= 1 << dice.randrange(8)


def cut(data: bytearray, dice: random.Random, place: int) -> None:
    """End it early, or take a piece out."""
    del data[place : dice.choice((len(data), place + dice.randint(1, 300)))]


def splice(data: bytearray, dice: random.Random, place: int) -> None:
    """Put a piece of it in another place, or over it."""
    start = dice.randrange(len(data))
    piece = data[start : start + dice.randint(1, 300)]
    data[place : place + dice.choice((0, len(piece)))] = piece


def lie(data: bytearray, dice: random.Random, place: int) -> None:
    """Write another length, where a value representation or chance says that there is one."""
    found = VALUE_REPRESENTATION.search(data, place)
    at = dice.choice((found.end(), found.end() + 2)) if found else place
    size = dice.choice((2, 4))
    length = dice.choice((*LENGTHS, len(data) - at, len(data) - at - size, dice.randrange(1 << 16)))
    data[at : at + size] = (length & (1 << 8 * size) - 1).to_bytes(size, dice.choice(("little", "big")))


def reword(data: bytearray, dice: random.Random, place: int) -> None:
    """Write something odd over a value, and change no length."""
    found = VALUE_REPRESENTATION.search(data, place)
    at = found.end() + 2 if found else place
    word = dice.choice(WORDS)
    data[at : at + len(word)] = word[: len(data) - at]


def mutated(data: bytes, dice: random.Random, within: range) -> bytes:
    """Return `data` with one to three mutations that begin `within`."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        place = min(dice.choice(within), len(changed) - 1)
        dice.choice((flip, cut, splice, lie, reword, reword))(changed, dice, place)
        if not changed:
            break
    return bytes(changed)


def mutants(seed: int, stage: str, count: int, *, of_pixels: bool = False) -> Iterator[tuple[str, Sent, bytes]]:
    """Yield the name of each mutant (to find it again), what it was, and what it became."""
    objects = [build() for build in SOUND]
    for number in range(count):
        dice = random.Random(f"{seed}/{stage}/{number}")
        sound = dice.choice(objects)
        pixels = sound.data.rindex(b"\xe0\x7f\x10\x00" if sound.syntax.is_little_endian else b"\x7f\xe0\x00\x10")
        anywhere, header = range(len(sound.data)), range(pixels + 40)
        places = range(pixels + 12, len(sound.data)) if of_pixels else dice.choice((header, header, anywhere))
        yield f"--seed {seed}, mutant {number}", sound, mutated(sound.data, dice, places)


@contextmanager
def bounded(name: str, seconds: float) -> Iterator[None]:
    """Allow so much CPU."""
    began = time.process_time()
    yield
    assert time.process_time() - began < seconds, name


def at_the_door(name: str, sound: Sent, data: bytes, path: Path) -> Header | None:
    """Return what the door reads of a mutant; None if it refuses it."""
    meta = file_meta(sound.sop_class, sound.sop_instance, sound.syntax)
    file = meta + data
    path.write_bytes(file)
    with bounded(name, DOOR_SECONDS):
        try:
            return read_header(path, len(meta), sound.syntax, file[:HEAD_BYTES])
        except Refused as refused:
            assert str(refused).endswith((".", "?")), name
            return None


def decided(name: str, store: Store, part: Path, header: Header) -> Decision:
    """Let the keeper decide about a study of one mutant."""
    objects = store.study(study_folder(header.study)) / "objects"
    rmtree(objects.parent, ignore_errors=True)
    objects.mkdir(parents=True)
    part.rename(objects / f"{sha256(part.read_bytes()).hexdigest()}.dcm")
    with bounded(name, KEEPER_SECONDS):
        decision = gather(store, study_folder(header.study), time.time(), "PACS")
    assert decision is not None, name
    assert "cannot be judged" not in decision.reason, name
    return decision


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What all dice of a run come from."""
    return int(request.config.getoption("--seed"))


def test_the_door_reads_or_refuses_every_mutant(tmp_path: Path, seed: int) -> None:
    """Of thousands of mutants each is read or refused in a sentence, in little time, and none raises anything else."""
    read = [at_the_door(*mutant, tmp_path / "part") is not None for mutant in mutants(seed, "door", AT_THE_DOOR)]
    assert 0.05 < sum(read) / AT_THE_DOOR < 0.95


def test_the_keeper_decides_about_every_mutant_that_the_door_kept(tmp_path: Path, seed: int) -> None:
    """What the door lets in ends in a decision for a reason, in little time."""
    store, part = Store(tmp_path), tmp_path / "part"
    events = set()
    for name, sound, data in mutants(seed, "keeper", BEFORE_THE_KEEPER):
        if header := at_the_door(name, sound, data, part):
            events.add(decided(name, store, part, header).event)
    assert events >= {"selected", "declined"}


def test_the_decoder_survives_every_mutant(tmp_path: Path, seed: int) -> None:
    """Mutants of pixels are decoded, declined or refused, and their decoding takes no more memory than it may."""
    store, part = Store(tmp_path), tmp_path / "part"
    most_before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    ends = {Declined: 0, Refused: 0, None: 0}
    for name, sound, data in mutants(seed, "decoder", IN_THE_DECODER, of_pixels=True):
        header = at_the_door(name, sound, data, part)
        if header and (ready := decided(name, store, part, header).ready):
            end = None
            try:
                decode(ready.views, store.study(ready.study) / "objects", Limits(seconds=10))
            except (Declined, Refused) as error:
                end = type(error)
                assert "within 10 seconds" not in str(error), name
            ends[end] += 1
    assert ends[None]
    assert ends[Refused]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 <= max(MEMORY_BYTES, most_before)
