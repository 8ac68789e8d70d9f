"""Rules that make more networks of one: deep copies, pickles and files carry rows and record along."""

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition

import surgery

from .base import Ground, step
from .choices import WHICH
from .interrupts import MOMENTS
from .record import record_faults
from .world import Network


class Copies(Ground):
    @step(which=WHICH, pickled=st.booleans())
    def copy(self, which, pickled):
        network = self.pick(which)
        net = pickle.loads(pickle.dumps(network.net)) if pickled else deepcopy(network.net)
        self._join(Network(self.kind, net, network.state, (), network.told))

    @precondition(lambda self: self.kind.owned)
    @step(which=WHICH, via=WHICH)
    def deep_copy_of_owner(self, which, via):
        """A YOLO object that has not predicted can be copied whole (with a predictor Ultralytics cannot)."""
        network = self.pick(which)
        free = [owner for owner in network.owners if owner.predictor is None]
        if free:
            owner = deepcopy(free[via % len(free)])
            self._join(Network(self.kind, owner.model, network.state, [owner], network.told))

    @step(which=WHICH, via=WHICH, half=st.sampled_from((None, None, False, True)), at=MOMENTS)
    def saved_and_loaded(self, which, via, half, at):
        """A file opened again has rows and history; float16 where that was asked for, or where it changes no bit."""
        network, path = self.pick(which), self.folder / "saved.pt"
        if self.kind.file is None:
            self._refuses_a_file(network)
            return
        path.unlink(missing_ok=True)
        half = half and network.state.fits_half
        handle = self.handle(network, via)
        made = self.attempt(network, lambda: surgery.save(handle, path, half=half), network.state, at)
        assert list(self.folder.glob("*.tmp")) == []
        if not path.exists():
            assert made is None
            return
        opener = None
        if self.kind.file == "fastvit":
            from detectors.fastvit import load as opener
        opened = surgery.load(path, opener=opener) if opener else surgery.load(path)
        state = network.state
        state = replace(state, original=state.rows if state.original is None else state.original)
        if half and opener is None:
            state = state.passed(np.float16)
        state = state.passed(np.float32)
        if opener is None:
            self._join(Network(self.kind, opened.model, state, [opened], network.told))
        else:
            self._join(Network(self.kind, opened, state, (), network.told))

    def _join(self, network: Network) -> None:
        network.known = True
        faults = [*network.faults(network.state), *record_faults(network)]
        assert not faults, f"the copy is another: {'; '.join(faults)}"
        self.add(network)

    def _refuses_a_file(self, network: Network) -> None:
        """A family without a file format refuses to be saved, and leaves no file."""
        with pytest.raises(TypeError, match="no checkpoint format"):
            surgery.save(network.net, self.folder / "none.pt")
        assert not (self.folder / "none.pt").exists()
