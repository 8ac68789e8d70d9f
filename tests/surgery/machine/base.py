"""The machine's ground: the networks alive, how a step is attempted, and what must hold after each."""

import functools
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import anatomy
import surgery

from .heads import Kind
from .interrupts import At, Interrupt
from .record import ask, judge, record_faults
from .truth import Refused, State
from .world import Network

MOST = 3  # networks alive at once
PATIENCE = 20  # s
done: Counter[tuple[str, str]] = Counter()  # how often each rule was run on each head

interrupted: Counter[str] = Counter()  # how often an interruption came, by file


def step(**draws):
    """A rule that counts its runs."""

    def wrap(function):
        @rule(**draws)
        @functools.wraps(function)
        def run(self, **values):
            done[self.kind.name, function.__name__] += 1
            function(self, **values)

        return run

    return wrap


class Ground(RuleBasedStateMachine):
    """The networks alive with their accounts. In a quiet sequence, surgery is asked by rules alone."""

    kind: Kind

    def __init__(self):
        super().__init__()
        self.networks: list[Network] = []
        self.blocks: list = []
        self.traces: list = []
        self.digests: dict = {}
        self.interruptions: list[str] = []
        self.quiet, self.steps = True, 0
        self._folder = TemporaryDirectory(prefix="machine-")
        self.folder = Path(self._folder.name)

    @initialize(owned=st.booleans(), quiet=st.booleans())
    def begin(self, owned: bool, quiet: bool):
        """A network without a history, held by a YOLO object or bare."""
        network = Network(self.kind, self.kind.fresh())
        self.networks.append(network)
        self.quiet = quiet
        if owned and self.kind.owned:
            network.owners.append(self.kind.owner(network.net))

    def teardown(self):
        while self.blocks:
            self.blocks.pop().close()
        self._folder.cleanup()
        self.networks.clear()  # hypothesis keeps the machine for a while, and equal networks of others are in doubt
        self.traces.clear()

    def pick(self, which: int) -> Network:
        return self.networks[which % len(self.networks)]

    def handle(self, network: Network, via: int):
        handles = network.handles()
        return handles[via % len(handles)]

    def add(self, network: Network) -> None:
        """One more network; the oldest that no block is open on goes when there are too many."""
        self.networks.append(network)
        busy = [block.network for block in self.blocks]
        free = [entry for entry in self.networks[:-1] if entry not in busy]
        if len(self.networks) > MOST and free:
            self.networks.remove(free[0])

    def attempt(self, network: Network, action: Callable, outcome: State | Refused, at: At | None = None):
        """Do something that makes ``outcome`` of a network, wholly, or nothing where it is refused or interrupted.

        Returns what the action does, or None where it did not come to an end.
        """
        network.introduce(self.networks)
        interrupt = Interrupt(at, network.row_tensors())
        errors = outcome.errors if isinstance(outcome, Refused) else ()
        stopped, result = False, None
        try:
            with interrupt:
                result = action()
        except errors:
            anatomy.describe(network.net)  # a refusal can come before the network was looked at, and now it is known
            return None
        except KeyboardInterrupt:
            if not interrupt.raised:
                raise  # somebody really wants to stop
            stopped = True
        if stopped:  # its frames are gone by now
            self.note(interrupt)
            self.wholly_or_not_at_all(network, outcome, interrupt.where)
            return None
        assert isinstance(outcome, State), f"this was not refused: {outcome.why}"
        network.move(outcome)
        return result

    def note(self, interrupt: Interrupt) -> None:
        """Count an interruption, and keep where it came for what may be found later."""
        interrupted[interrupt.where.split(":")[0]] += 1
        self.interruptions.append(interrupt.where)

    def wholly_or_not_at_all(self, network: Network, outcome: State | Refused, where: str) -> None:
        """After an interruption rows, record and runners agree on one of the two states; it is taken over."""
        states, told = [network.state] + ([outcome] if isinstance(outcome, State) else []), ask(network)
        faults = [[*network.faults(state), *judge(network, state, told)] for state in states]
        fitting = [state for state, found in zip(states, faults, strict=True) if not found]
        assert fitting, f"interrupted before {where}: neither as before {faults[0]} nor as after {faults[1:]}"
        assert open_to_others(network), f"interrupted before {where}: another thread waits for the network for ever"
        network.move(_with_original(fitting, network))
        network.tell()

    @invariant()
    def all_is_as_the_account_says(self):
        self.steps += 1
        for index, network in enumerate(self.networks):
            faults = list(network.faults(network.state))
            if not self.quiet:
                network.introduce(self.networks)
                faults += record_faults(network)
            if (self.steps + index) % 3 == 0:
                now = network.draw()
                faults += [f"{part} outside the rows changed" for part in now if now[part] != network.portrait[part]]
            assert not faults, f"network {index}: {'; '.join(faults)} (interruptions before {self.interruptions})"
            network.settle()


def _with_original(states: list[State], network: Network) -> State:
    """Of states that differ in nothing but whether rows of an original are kept, the one that the product has."""
    if len(states) == 1:
        return states[0]
    kept = surgery.certify(network.net).original is not None
    return next(state for state in states if (state.original is not None) == kept)


def open_to_others(network: Network) -> bool:
    """Whether another thread can work on a network: nothing that an interrupted one took is kept."""
    other = threading.Thread(target=surgery.undo, args=(network.net, 0), daemon=True)
    other.start()
    other.join(PATIENCE)
    return not other.is_alive()
