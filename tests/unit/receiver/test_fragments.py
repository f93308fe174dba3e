"""P-DATA however it is cut: into fragments by the sender, into reads by the network."""

import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import P_DATA_TF

from scintiflow.receiver.fragments import Fragments, Malformed, command_pdus

COMMAND, LAST = 1, 2
RELEASE = bytes.fromhex("0500 0000 0004 0000 0000")


@dataclass
class Heap:
    """Puts pieces together again."""

    whole: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Context, kind and bytes of each part of a message that is complete."""
    _coming: bytearray = field(default_factory=bytearray)

    def command(self, context: int, piece: memoryview, *, last: bool) -> None:
        """Take a piece of a command."""
        self._take(context, COMMAND, piece, last)

    def data(self, context: int, piece: memoryview, *, last: bool) -> None:
        """Take a piece of a data set."""
        self._take(context, 0, piece, last)

    def _take(self, context: int, kind: int, piece: memoryview, last: bool) -> None:
        self._coming += piece
        if last:
            self.whole.append((context, kind, bytes(self._coming)))
            self._coming.clear()


def pdu(*fragments: tuple[int, int, bytes]) -> bytes:
    """Return one P-DATA-TF of fragments: context, control header, bytes."""
    body = b"".join(struct.pack(">LBB", len(data) + 2, context, control) + data for context, control, data in fragments)
    return struct.pack(">BxL", 4, len(body)) + body


def taken(stream: bytes, cuts: list[int]) -> tuple[Heap, bytes]:
    """Let a stream come in reads that end at `cuts`; return what was made of it, and what was left."""
    heap = Heap()
    fragments, unread, at = Fragments(heap), b"", 0
    for cut in [*sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]:
        unread, at = unread + stream[at:cut], cut
        unread = unread[fragments.take(memoryview(unread)) :]
    return heap, unread


def understood(stream: bytes) -> list[tuple[int, int, bytes]]:
    """Return what the library makes of whole PDUs."""
    heap, at = Heap(), 0
    while at < len(stream):
        end = at + 6 + int.from_bytes(stream[at + 2 : at + 6], "big")
        decoded = P_DATA_TF()
        decoded.decode(stream[at:end])
        for context, value in decoded.to_primitive().presentation_data_value_list:
            take = heap.command if value[0] & COMMAND else heap.data
            take(context, memoryview(value)[1:], last=bool(value[0] & LAST))
        at = end
    return heap.whole


FRAGMENT = st.tuples(st.sampled_from([1, 3, 255]), st.integers(0, 255), st.binary(max_size=12)).filter(
    lambda fragment: fragment[2] or fragment[1] & LAST  # one that brings nothing is refused
)


@given(
    pdus=st.lists(st.lists(FRAGMENT, min_size=1, max_size=4), max_size=5), cuts=st.lists(st.integers(0), max_size=30)
)
def test_any_cut_gives_what_the_library_reads(pdus: list[list[tuple[int, int, bytes]]], cuts: list[int]) -> None:
    """However fragments lie in PDUs and PDUs in reads, down to single bytes, the library reads the same parts."""
    stream = b"".join(pdu(*fragments) for fragments in pdus)
    heap, unread = taken(stream, cuts)
    assert heap.whole == understood(stream)
    assert unread == b""


def test_single_bytes_make_a_message() -> None:
    """Command and data set in one PDU, read byte by byte, come out whole."""
    stream = pdu((1, 3, b"command"), (1, 0, b"da"), (1, 0, b"t"), (1, 2, b"a"))
    heap, _ = taken(stream, list(range(len(stream))))
    assert heap.whole == [(1, COMMAND, b"command"), (1, 0, b"data")]


def test_a_pdu_of_another_kind_is_left() -> None:
    """What follows the P-DATA is not touched."""
    heap, unread = taken(pdu((1, 3, b"command")) + RELEASE, [])
    assert unread == RELEASE
    assert len(heap.whole) == 1


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack(">BxL", 4, 0),
        struct.pack(">BxL", 4, 3) + b"abc",
        struct.pack(">BxL", 4, 1 << 21),
        struct.pack(">BxLLBB", 4, 10, 100, 1, 0),
        struct.pack(">BxLLBB", 4, 6, 1, 1, 0),
        struct.pack(">BxLLBB", 4, 6, 0, 1, 0),
        struct.pack(">BxLLBB", 4, 9, 2, 1, 0) + b"abc",
        struct.pack(">BxLLBB", 4, 6, 2, 1, 1),
        struct.pack(">BxLLBB", 4, 6, 2, 1, 0),
    ],
    ids=[
        "nothing",
        "too short",
        "too long",
        "beyond its PDU",
        "without control header",
        "empty",
        "with a rest",
        "a command of nothing",
        "data of nothing",
    ],
)
def test_lengths_that_contradict_each_other_are_malformed(stream: bytes) -> None:
    """A fragment that does not fit its PDU ends the association."""
    with pytest.raises(Malformed):
        taken(stream, [])


@given(command=st.binary(min_size=1, max_size=300), longest=st.integers(0, 400))
def test_an_answer_keeps_to_the_length_that_the_peer_takes(command: bytes, longest: int) -> None:
    """An answer is cut so that no PDU is longer than the peer's maximum, and can be put together again."""
    pdus = list(command_pdus(3, command, longest))
    assert understood(b"".join(pdus)) == [(3, COMMAND, command)]
    assert longest <= 6 or all(len(each) - 6 <= longest for each in pdus)
