"""Who gets past the lobby, and who has to leave; on real sockets."""

import gc
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from prometheus_client import REGISTRY

from scintiflow.receiver.lobby import LONGEST_REQUEST, Guest, Limits, Lobby
from scintiflow.receiver.sparing import Sparing

REQUEST = b"\1\0" + (200).to_bytes(4, "big") + b"\0\1\0\0" + b"US".ljust(16) + b"THEM".ljust(16) + bytes(164)


class Door:
    """A lobby on a port of its own, turned by hand; `asked` are those that it passed on."""

    def __init__(self, stack: ExitStack, limits: Limits) -> None:
        self._stack = stack
        self._listening = stack.enter_context(socket.create_server(("0.0.0.0", 0), backlog=200))  # all of 127/8
        self.asked: list[Guest] = []
        self.busy = 0
        self._opened = time.monotonic()
        self.lobby = Lobby(self._listening, limits, lambda: self.busy, self.asked.append, Sparing())

    def connect(self, said: bytes = b"", host: str = "127.0.0.1") -> socket.socket:
        """Connect from `host`, say something, and let the lobby see to it."""
        peer = self.come(host)
        self.say(peer, said)
        return peer

    def come(self, host: str = "127.0.0.1") -> socket.socket:
        """Connect from `host` and wait at the door."""
        to = ("127.0.0.1", self._listening.getsockname()[1])
        peer = self._stack.enter_context(socket.create_connection(to, timeout=5, source_address=(host, 0)))
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer

    def courtesy(self) -> float:
        """Return the seconds that a busy listener may have left to others by now."""
        return 0.1 + 0.05 * (time.monotonic() - self._opened)

    def say(self, peer: socket.socket, said: bytes) -> None:
        """Say something more."""
        if said:
            peer.sendall(said)
        self.lobby.turn(0.05)
        self.lobby.turn(0.05)


Open = Callable[..., Door]


@pytest.fixture
def open_door() -> Iterator[Open]:
    """Return what opens a lobby with the limits given."""
    gc.collect()  # what other tests have dropped would give descriptors back meanwhile
    with ExitStack() as stack:

        def open_door(seconds: float = 60, sockets: int = 4, sockets_per_address: int = 3) -> Door:
            return Door(stack, Limits(seconds, sockets, sockets_per_address))

        yield open_door


def gone(peer: socket.socket) -> bool:
    """Tell whether the other side has closed."""
    if not select.select([peer], [], [], 0)[0]:
        return False
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


def turned_away(reason: str) -> float:
    """Return how many left for this reason so far."""
    return REGISTRY.get_sample_value("scintiflow_receiver_turned_away_total", {"reason": reason}) or 0.0


def test_a_request_passes_at_once_with_its_bytes(open_door: Open) -> None:
    """Who asks as soon as it is connected is passed on with what it said, and takes no place."""
    door = open_door()
    door.connect(REQUEST)
    (guest,) = door.asked
    assert (bytes(guest.request), guest.calling_ae_title, guest.called_ae_title) == (REQUEST, "THEM", "US")
    assert len(door.lobby) == 0


def test_a_request_may_come_in_pieces(open_door: Open) -> None:
    """Nobody is passed on before the last byte, and what follows the request stays in the socket."""
    door = open_door()
    peer = door.connect(REQUEST[:3])
    door.say(peer, REQUEST[3:100])
    assert (door.asked, len(door.lobby)) == ([], 1)
    door.say(peer, REQUEST[100:] + b"more")
    (guest,) = door.asked
    assert bytes(guest.request) == REQUEST
    assert guest.connection.recv(9) == b"more"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (bytes(1000), "foreign"),
        (b"GET / HTTP/1.1\r\n\r\n", "foreign"),
        (b"\4\0\0\0\0\1", "foreign"),
        (b"\1\0\0\0\0\0", "foreign"),
        (b"\1\0\xff\xff\xff\xff", "too_long"),
        (b"\1\0" + LONGEST_REQUEST.to_bytes(4, "big"), "too_long"),
    ],
)
def test_what_is_no_request_ends_the_connection(open_door: Open, said: bytes, reason: str) -> None:
    """The first wrong byte, or a length beyond any request, is enough."""
    door, before = open_door(), turned_away(reason)
    assert gone(door.connect(said))
    assert (door.asked, len(door.lobby), turned_away(reason)) == ([], 0, before + 1)


def test_who_does_not_ask_in_time_has_to_leave(open_door: Open) -> None:
    """The deadline counts from connecting, whatever drips in meanwhile."""
    door, before = open_door(seconds=0), turned_away("late")
    assert gone(door.connect())
    assert gone(door.connect(REQUEST[:99]))
    assert turned_away("late") == before + 2


def test_a_crowd_makes_room_for_a_genuine_peer_of_the_same_address(open_door: Open) -> None:
    """Beyond the limit of one address its oldest silent connection leaves, and who asks is passed on."""
    door = open_door()
    crowd = [door.connect() for _ in range(3)]
    door.connect(REQUEST)
    assert len(door.asked) == 1
    assert [gone(peer) for peer in crowd] == [True, False, False]


def test_a_crowd_of_one_address_does_not_cost_another_its_place(open_door: Open) -> None:
    """When all places are taken, the address that holds most loses one."""
    door = open_door()
    lonely = door.connect(host="127.0.0.2")
    crowd = [door.connect() for _ in range(3)]
    door.connect(host="127.0.0.3")
    assert not gone(lonely)
    assert [gone(peer) for peer in crowd] == [True, False, False]


def test_a_crowd_gets_no_courtesy_to_other_listeners(open_door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy listener takes in a crowd as fast as an idle one, so that who comes behind it does not wait."""
    door, rests = open_door(sockets=150, sockets_per_address=150), list[float]()
    monkeypatch.setattr(time, "sleep", rests.append)
    door.busy = 20
    for _ in range(150):
        door.come()
    while len(door.lobby) < 150:
        door.lobby.turn(0.05)
    assert 0 < sum(rests) <= door.courtesy()


def test_strangers_that_ask_get_no_more_courtesy(open_door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks at once, and comes again and again, does not make a busy listener slow for who comes behind."""
    door, rests = open_door(sockets=150, sockets_per_address=150), list[float]()
    monkeypatch.setattr(time, "sleep", rests.append)
    door.busy = 20
    while len(door.asked) < 150:
        door.connect(REQUEST).close()
    assert 0 < sum(rests) <= door.courtesy()


def test_a_load_balancer_may_look_in(open_door: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """To connect and to go without a byte is no event in the log."""
    door, before = open_door(), turned_away("probe")
    peer = door.connect()
    peer.close()
    door.lobby.turn(0.05)
    assert (len(door.lobby), turned_away("probe")) == (0, before + 1)
    said, complained = capsys.readouterr()
    assert said == complained == ""


@contextmanager
def descriptors(limit: int) -> Iterator[None]:
    """Allow this process so many more descriptors than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno() + limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_the_longest_waiting_makes_room(open_door: Open) -> None:
    """When the kernel gives no more descriptors, silent connections pay, not the next who asks."""
    door = open_door()
    crowd = [door.connect() for _ in range(2)]
    with descriptors(1):  # one for the peer below, none to accept it
        door.connect(REQUEST)
    assert len(door.asked) == 1
    assert [gone(peer) for peer in crowd] == [True, False]


def test_without_descriptors_nothing_ends(open_door: Open) -> None:
    """When there is nobody to make room, whoever asks is passed on as soon as there are descriptors again."""
    door = open_door()
    with descriptors(1):
        door.connect(REQUEST)
        assert door.asked == []
    door.lobby.turn(0.05)
    assert len(door.asked) == 1
