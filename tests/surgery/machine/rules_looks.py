"""Rules that look: traces, predictions, replays and certificates tell what is true, and change nothing."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from hypothesis.stateful import precondition
from torch.nn import functional as F

import anatomy
import surgery

from .arithmetic import cast, rows_that_differ, same_bits
from .base import Ground, step
from .choices import WHICH
from .heads import CONF, SIDE, picture
from .interrupts import MOMENTS
from .world import Network

owned = precondition(lambda self: self.kind.owned)


@dataclass
class Kept:
    """A trace that was kept to be replayed, and how it was made."""

    network: Network
    trace: object
    via: int
    mode: bool | None
    rest: dict
    """Checksums of all but the class rows of the network that ran."""


class Looks(Ground):
    def mode(self, network: Network, one2one: bool) -> bool | None:
        """The ``nms`` argument that runs a branch which lives; left out, a predictor keeps the branch it has."""
        if not self.kind.two_branches:
            return None
        branches = network.state.branches
        return branches == ("one2many",) or not (one2one or branches == ("one2one",))

    def looked(self, network: Network, via: int, mode: bool | None):
        """A trace through one handle, checked against the account: rows, logits, and that nothing is left behind."""
        given = {} if mode is None else {"nms": mode}
        trace = anatomy.trace(self.handle(network, via), picture(), conf=CONF, imgsz=SIDE, **given)
        run = trace._run
        state = network.state
        if self.kind.owned:
            runner = network.meet(run.private.predictor)
            faults = list(runner.faults(state))
            assert not faults, faults
            rows = runner.rows()
        else:
            rows = state.rows
        for level, (weight, bias) in enumerate(run.rows):
            found = weight.numpy(), None if bias is None else bias.numpy()
            assert same_bits(found, rows[run.branch, level]), f"the trace notes other rows at {run.branch} {level}"
        self._check_logits(network, run)
        return trace

    def _check_logits(self, network: Network, run) -> None:
        """The logits are what torch makes of the features and the rows noted, bit for bit."""
        with torch.inference_mode():
            for level, (feature, rows) in enumerate(zip(run.features, run.rows, strict=True)):
                conv = self.kind.convs(network.net)[run.branch, level]
                made = F.conv2d(feature, *rows, conv.stride, conv.padding)[0]
                assert equal(made, run.logits[level]), f"logits of level {level} are not those of its rows"

    @step(which=WHICH, via=WHICH, one2one=st.booleans(), at=MOMENTS)
    def trace(self, which, via, one2one, at):
        network = self.pick(which)
        mode = self.mode(network, one2one)
        trace = self.attempt(network, lambda: self.looked(network, via, mode), network.state, at)
        if trace is None:
            trace = self.looked(network, via, mode)  # an interrupted one leaves nothing that is in the way
        self.traces = [*self.traces[-2:], Kept(network, trace, via, mode, self._rest(network, trace))]

    def _rest(self, network: Network, trace) -> dict:
        """All but the class rows of what ran: of a predictor, as they were when it copied the network."""
        made = network.meet(trace._run.private.predictor) if self.kind.owned else network
        return made.portrait["values"]

    @precondition(lambda self: self.traces)
    @step(which=WHICH, at=MOMENTS)
    def replay(self, which, at):
        """A replay gives what a fresh pass gives, bit for bit; the network that predicts is as its rows are."""
        kept = self.traces[which % len(self.traces)]
        if kept.network not in self.networks or kept.trace.branch not in kept.network.state.branches:
            return
        try:
            replayed = self.attempt(kept.network, kept.trace.replay, kept.network.state, at)
        except RuntimeError as error:
            if kept.network.left and "was given another network since this trace" in str(error):
                return
            raise
        if replayed is None:
            return
        fresh = self.looked(kept.network, kept.via, kept.mode)
        runner = kept.network.meet(fresh._run.private.predictor) if self.kind.owned else None
        same = kept.rest == self._rest(kept.network, fresh)
        if same and (runner is None or runner.in_step(kept.network.state)):
            for ours, theirs in zip(replayed.logits, fresh.logits, strict=True):
                assert equal(ours, theirs)
            for ours, theirs in zip(found(replayed), found(fresh), strict=True):
                assert equal(ours, theirs)

    @owned
    @step(which=WHICH, via=WHICH, one2one=st.booleans())
    def predict(self, which, via, one2one):
        """``y.predict`` itself gives what a trace through the same object says."""
        network = self.pick(which)
        if not network.owners:
            return
        at, mode = via % len(network.owners), self.mode(network, one2one)
        given = {} if mode is None else {"nms": mode}
        owner = network.owners[at]
        result = owner.predict(picture(), imgsz=SIDE, conf=CONF, verbose=False, **given)[0]
        traced = self.looked(network, at + 1, mode).result
        for part in ("boxes", "obb", "masks", "keypoints"):
            ours, theirs = getattr(result, part), getattr(traced, part)
            assert (ours is None) == (theirs is None)
            assert ours is None or equal(ours.data, theirs.data), f"{part} of predict are not those of the trace"

    @owned
    @step(which=WHICH, via=WHICH, one2one=st.booleans())
    def predict_afresh(self, which, via, one2one):
        """What has long been running gives the same as a predictor made this moment."""
        network = self.pick(which)
        mode = self.mode(network, one2one)
        traced = self.looked(network, via, mode)
        current = self._rest(network, traced) == network.portrait["values"]
        if current and network.meet(traced._run.private.predictor).in_step(network.state):
            predictor = self.kind.predictor(mode)
            predictor.setup_model(network.net, verbose=False)
            result = predictor(picture())[0]
            ours = result.boxes if result.obb is None else result.obb
            theirs = traced.result.boxes if traced.result.obb is None else traced.result.obb
            assert equal(ours.data, theirs.data)

    @step(which=WHICH, via=WHICH, at=MOMENTS)
    def certify(self, which, via, at):
        network = self.pick(which)
        state = network.state
        made = self.attempt(network, lambda: surgery.certify(self.handle(network, via)), state, at)
        if made is None:
            return
        self._check_in_step(network, made.in_step)
        assert self.digests.setdefault(network.bits(), made.digest) == made.digest
        assert len({*self.digests.values()}) == len(self.digests), "one digest for two sets of rows"
        assert {(check.branch, check.level) for check in made.rows} == set(state.rows)
        assert made.original == (None if state.original is None else "record")
        left, changes = state.left(), False
        for check in made.rows:
            place, changed, equal = (check.branch, check.level), (), ()
            if state.original is not None:
                before = cast(state.original[place], state.dtype)
                changed = rows_that_differ(state.rows[place], before, self.kind.anchors)
                equal = tuple(index for index in range(self.kind.classes) if index not in changed)
            drifted = rows_that_differ(state.rows[place], left[place], self.kind.anchors)
            assert (check.changed, check.equal, check.drifted) == (changed, equal, drifted), place
            changes = changes or bool(changed)
        assert made.untouched is (None if state.original is None else not changes)

    def _check_in_step(self, network: Network, said: bool) -> None:
        """True where every living predictor runs these rows, False where one that somebody holds does not."""
        current = [network.meet(owner.predictor) for owner in network.owners if owner.predictor is not None]
        held = [runner for runner in network.runners if runner.bound and (runner.by_hand or runner in current)]
        living = [runner for runner in network.runners if runner.lives]
        if all(runner.in_step(network.state) for runner in living):
            assert said, "every predictor runs these rows, but the certificate says that one does not"
        elif not all(runner.in_step(network.state) for runner in held if runner.lives):
            assert not said, "a predictor runs other rows, but the certificate says that all run these"


def found(trace) -> tuple:
    """Boxes, confidence, class ids and anchors of the detections of a trace, as the family left them."""
    return (*trace._head.found(trace._run), trace._run.anchors)


def equal(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    """The same numbers; rows scaled beyond all measure make logits that are none, and those are equal as well."""
    return ours.shape == theirs.shape and bool(((ours == theirs) | (ours.isnan() & theirs.isnan())).all())
