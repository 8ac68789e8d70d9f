"""The turn of a network and the lock of a predictor are given back wherever an interruption comes."""

import contextlib
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from anatomy.families.ultralytics.lock import joined_lock
from anatomy.head.turns import turns, undisturbed
from tests.surgery.machine.interrupts import WATCHED, At, Interrupt

WAIT = 120  # s: longer than anything here takes


def interrupted_everywhere(work):
    """Interrupt ``work`` before its first line in our packages, then before its second, and so on; yields each line."""
    for n in range(1, 2000):
        interrupt = Interrupt(At(n))
        try:
            with interrupt:
                work()
        except KeyboardInterrupt:
            pass
        if not interrupt.raised:
            return
        yield interrupt.where


def assert_free(net, where: str) -> None:
    """Another thread can take the network at once."""
    ready = threading.Event()

    def take() -> None:
        with undisturbed(net):
            ready.set()

    threading.Thread(target=take, daemon=True).start()
    assert ready.wait(5), f"interrupted before {where}, a thread has kept the network"


@pytest.mark.parametrize("inside", [None, ValueError, KeyboardInterrupt])
def test_an_interruption_at_any_line_of_a_turn_gives_it_back(inside):
    net = torch.nn.Identity()

    def work() -> None:
        with contextlib.suppress(ValueError), undisturbed(net), undisturbed(net):
            if inside is not None:
                raise inside

    for where in interrupted_everywhere(work):
        assert_free(net, where)


@pytest.mark.parametrize("again", [False, True])
def test_an_interruption_at_any_line_of_a_predictors_lock_gives_it_back(again):
    predictor, net = types.SimpleNamespace(_lock=threading.Lock()), torch.nn.Identity()
    former, lock = predictor._lock, joined_lock(predictor, turns(net).passes)

    def work() -> None:
        with lock.held(), lock:  # as predict() enters it
            if again:
                raise KeyboardInterrupt

    for where in interrupted_everywhere(work):
        assert_free(net, where)
        assert not former.locked(), where
        with lock:  # and no stream is taken for open
            assert former.locked()


TRY_IN_A_BLOCK = """
with turn:
    try:
        pass
    finally:
        pass
"""


def test_an_interruption_before_a_try_that_a_block_begins_with_gives_the_turn_back():
    """Python does not count that line to the block, and leaves it without calling its end."""
    net = torch.nn.Identity()
    code = compile(TRY_IN_A_BLOCK, f"{WATCHED[0]}/none.py", "exec")
    seen = []
    for where in interrupted_everywhere(lambda: exec(code, {"turn": turns(net).passes.held()})):
        seen.append(where)
        assert_free(net, where)
    assert "none.py:3" in seen


def test_blocks_that_hold_a_turn_may_end_in_any_order_and_in_any_thread():
    net = torch.nn.Identity()
    blocks = [undisturbed(net) for _ in range(3)]
    for block in blocks:
        block.__enter__()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(lambda: undisturbed(net).__enter__())
        blocks[0].__exit__(None, None, None)
        pool.submit(lambda: blocks[2].__exit__(None, None, None)).result(WAIT)
        assert not waiting.done()
        blocks[1].__exit__(None, None, None)
        waiting.result(WAIT)
