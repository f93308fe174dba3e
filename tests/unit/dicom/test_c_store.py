"""The checkpoint that keeps an association's loop from swallowing answers."""

import threading
import time

from scintiflow.dicom.c_store import Checkpoint


def test_a_held_loop_does_not_pass_until_it_is_let_go() -> None:
    """After each hold the loop rests, however often it is let go and held again."""
    checkpoint, passed, stopped = Checkpoint(), [0], threading.Event()

    def loop() -> None:
        while not stopped.is_set():
            checkpoint.wait()
            passed[0] += 1

    thread = threading.Thread(target=loop)
    thread.start()
    for _ in range(500):
        assert checkpoint.hold(5, thread.is_alive)
        before = passed[0]
        assert checkpoint.hold(5, thread.is_alive)
        assert passed[0] == before
        checkpoint.set()
    stopped.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_loop_that_never_comes_is_not_waited_for_for_ever() -> None:
    """Holding is bounded, whatever keeps the loop."""
    assert not Checkpoint().hold(0.05, lambda: True)


def test_a_loop_that_is_over_is_not_waited_for() -> None:
    """An association that ended between two results costs no half minute."""
    began = time.monotonic()
    assert not Checkpoint().hold(30, lambda: False)
    assert time.monotonic() - began < 5
