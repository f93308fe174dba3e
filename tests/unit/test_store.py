"""What DATA promises: durable before return, the first one wins, nothing overwritten, nothing left behind."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scintiflow.errors import Refused, Unavailable
from scintiflow.store import SharedSync, Store

FOLDER = "0123456789abcdef" * 2


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty DATA."""
    return Store(tmp_path)


def put(store: Store, data: bytes, folder: str = FOLDER) -> bool:
    """Store `data` as the receiver does."""
    with store.incoming("test") as incoming:
        part = incoming / "part"
        part.write_bytes(data)
        return store.put_object(part, folder, hashlib.sha256(data).hexdigest())


def test_an_object_is_found_under_its_study_and_digest(store: Store) -> None:
    """An object's place follows from its study's folder and its bytes, and nothing else."""
    assert put(store, b"scan")
    assert (store.study(FOLDER) / "objects" / f"{hashlib.sha256(b'scan').hexdigest()}.dcm").read_bytes() == b"scan"
    assert list(store.studies()) == [FOLDER]


def test_the_same_bytes_again_are_no_news(store: Store) -> None:
    """Storing the same bytes twice keeps one object and says so; other bytes are another object."""
    assert [put(store, data) for data in (b"scan", b"scan", b"other")] == [True, False, True]
    assert len(list((store.study(FOLDER) / "objects").iterdir())) == 2


def test_an_object_that_comes_again_keeps_the_time_it_first_came(store: Store) -> None:
    """Of two objects with one UID the first is used, also after it was sent again."""
    put(store, b"scan")
    (path,) = (store.study(FOLDER) / "objects").iterdir()
    os.utime(path, (1.0, 1.0))
    put(store, b"scan")
    assert path.stat().st_mtime == 1.0


def test_an_object_whose_study_is_removed_meanwhile_is_not_stored(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that it is durable, although another folder of that name is there already."""
    put(store, b"first")
    study, sync = store.study(FOLDER), os.fsync

    def sync_and_replace(handle: int) -> None:
        sync(handle)
        if len(list(study.rglob("*.dcm"))) == 2:
            study.rename(store.data / "removed")
            (study / "objects").mkdir(parents=True)

    monkeypatch.setattr(os, "fsync", sync_and_replace)
    with pytest.raises(Unavailable):
        put(store, b"second")


@pytest.mark.parametrize("folder", ["", "..", "../../etc", "0" * 31, "0" * 33, "G" * 32, f"{FOLDER}\n"])
def test_only_digests_become_paths(store: Store, folder: str) -> None:
    """A name that is not 32 hexadecimal digits never reaches the file system."""
    with pytest.raises(Refused, match="32 hexadecimal digits"):
        store.study(folder)


def test_a_disk_that_refuses_is_unavailable(store: Store) -> None:
    """A write that the disk refuses is worth a retry, and the message says what to do."""
    store.study(FOLDER).parent.mkdir()
    store.study(FOLDER).write_text("a file where a folder must be")
    with pytest.raises(Unavailable, match="make room or repair it"):
        put(store, b"scan")


def test_an_installation_has_one_salt(store: Store, tmp_path: Path) -> None:
    """Every process that opens DATA has the same salt, and another installation another one."""
    assert store.salt == Store(store.data).salt
    assert store.salt != Store(tmp_path / "elsewhere").salt


def test_a_disk_in_trouble_leaves_a_process_its_own_salt(tmp_path: Path) -> None:
    """Log lines about a disk that keeps nothing must not fail by it."""
    (tmp_path / "data").write_text("no folder")
    broken = Store(tmp_path / "data")
    assert len(broken.salt) == 32
    assert broken.salt == broken.salt


def test_the_first_one_written_wins(store: Store) -> None:
    """Of many writers of one path exactly one is told that it won, and its bytes stay."""
    path = store.study(FOLDER) / "results" / "1.dcm"
    winners: list[int] = []

    def write(number: int) -> None:
        if store.put_once(path, b"%d" % number):
            winners.append(number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [int(path.read_bytes())] == winners
    assert [entry.name for entry in (store.data / "incoming").iterdir()] == ["lock"]


@given(
    earlier=st.lists(st.dictionaries(st.text(), st.integers())),
    later=st.dictionaries(st.text(), st.integers()),
    cut=st.integers(0),
)
def test_a_torn_last_line_spoils_only_itself(
    tmp_path_factory: pytest.TempPathFactory, earlier: list[dict[str, int]], later: dict[str, int], cut: int
) -> None:
    """Wherever a crash cut the events file, every whole line before the cut and every later line can be read."""
    store = Store(tmp_path_factory.mktemp("data"))
    path = store.study(FOLDER) / "events.jsonl"
    for event in earlier:
        store.append_line(path, json.dumps(event).encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.read_bytes() if earlier else b""
    torn = whole[: cut % (len(whole) + 1)]
    path.write_bytes(torn)
    store.append_line(path, json.dumps(later).encode())
    lines = path.read_bytes().splitlines()
    survived = torn.count(b"\n")
    assert [json.loads(line) for line in lines[:survived]] == earlier[:survived]
    assert json.loads(lines[-1]) == later


def test_appends_from_many_writers_never_mix(store: Store) -> None:
    """Lines of several writers stay whole."""
    path = store.study(FOLDER) / "events.jsonl"
    lines = [bytes([65 + number]) * 500 for number in range(8)]
    writers = [
        threading.Thread(target=lambda line=line: [store.append_line(path, line) for _ in range(5)]) for line in lines
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(path.read_bytes().splitlines()) == sorted(lines * 5)


OWNER = """
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from scintiflow.store import SharedSync, Store
with Store(Path(sys.argv[1])).incoming("owner") as folder:
    (folder / "part").write_bytes(b"half an object")
    print("ready", flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_sweeping_takes_only_what_the_dead_left(store: Store) -> None:
    """A sweep spares the folder of a living owner and removes it once the owner was killed."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(store.data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    assert owner.stdout.readline() == b"ready\n"
    part = store.data / "incoming" / "owner" / "part"
    assert (store.sweep_incoming(), part.exists()) == (0, True)
    owner.stdin.close()
    owner.wait(timeout=10)
    assert (store.sweep_incoming(), part.parent.exists()) == (1, False)


def test_sweeping_takes_a_draft_only_when_its_writer_is_dead(store: Store) -> None:
    """What is being written stays while it is, and what a writer that was killed left goes."""
    (store.data / "incoming").mkdir(parents=True)
    left = store.data / "incoming" / "draft-of-the-dead"
    left.write_bytes(b"half a result")
    with store._draft(b"a result") as draft:
        assert store.sweep_incoming() == 1
        assert (left.exists(), draft.read_bytes()) == (False, b"a result")
    assert not draft.exists()


def test_a_sweep_does_not_stumble_over_those_who_write(store: Store) -> None:
    """Swept again and again while others write and are done, every write succeeds and nothing is left."""
    results = store.data / "results"

    def write(writer: int) -> None:
        for number in range(300):
            assert store.put_once(results / f"{writer}-{number}", b"a result")

    with ThreadPoolExecutor(4) as writers:
        writing = [writers.submit(write, writer) for writer in range(4)]
        while not all(one.done() for one in writing):
            store.sweep_incoming()
        for one in writing:
            one.result()
    assert len(list(results.iterdir())) == 1200
    assert [entry.name for entry in (store.data / "incoming").iterdir()] == ["lock"]


def test_a_lent_folder_goes_with_its_block(store: Store) -> None:
    """Temporary files do not outlive the block that lent their folder, also when it fails."""
    with pytest.raises(ValueError, match="trouble"), store.incoming("owner") as folder:
        (folder / "part").write_bytes(b"half")
        raise ValueError("trouble")
    assert not folder.exists()


def test_free_space_is_told(store: Store) -> None:
    """The store tells how much room is left."""
    assert store.free_bytes() > 0


def test_who_waits_together_shares_one_sync() -> None:
    """A caller is served by a sync that began after its call, and one sync serves all who waited for the last one."""
    runs: list[tuple[float, float]] = []
    served: list[tuple[float, float]] = []

    def sync() -> None:
        began = time.monotonic()
        time.sleep(0.01)  # as a disk takes its time
        runs.append((began, time.monotonic()))

    def call() -> None:
        for _ in range(20):
            began = time.monotonic()
            shared.join()
            served.append((began, time.monotonic()))

    shared = SharedSync(sync)
    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(any(came <= began and ended <= left for began, ended in runs) for came, left in served)
    assert len(served) == 160
    assert len(runs) < 80


def test_a_sync_that_fails_fails_for_all_who_waited() -> None:
    """Nobody takes a failed sync for done, and the next one is tried anew."""
    waiting, failures = threading.Barrier(4), []

    def sync() -> None:
        time.sleep(0.05)  # until the others wait
        raise OSError("the disk is gone")

    def call() -> None:
        waiting.wait()
        try:
            shared.join()
        except OSError:
            failures.append(1)

    shared = SharedSync(sync)
    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(failures) == 4
