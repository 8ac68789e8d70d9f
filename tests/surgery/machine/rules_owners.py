"""Rules about who holds a network: YOLO objects that come and go, and predictors made by hand."""

from copy import deepcopy

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from .base import Ground, step
from .choices import WHICH
from .heads import picture
from .world import Network

owned = precondition(lambda self: self.kind.owned)


class Owners(Ground):
    @owned
    @step(which=WHICH)
    def give_owner(self, which):
        """One more YOLO object holds the same network; the first one comes to a bare network, edited or not."""
        network = self.pick(which)
        if len(network.owners) < 3:
            network.owners.append(self.kind.owner(network.net))

    @owned
    @step(which=WHICH, via=WHICH, again=st.booleans(), keep=st.booleans())
    def drop_owner(self, which, via, again, keep):
        """A YOLO object is deleted; a new one may take its place, its predictor may live on."""
        network = self.pick(which)
        free = [owner for owner in network.owners if all(block.owner is not owner for block in self.blocks)]
        if not free:
            return
        owner = free[via % len(free)]
        if keep and owner.predictor is not None:
            network.kept.append(owner.predictor)
        network.owners.remove(owner)
        del owner, free
        if again:
            network.owners.append(self.kind.owner(network.net))

    @owned
    @step(which=WHICH, via=WHICH)
    def give_another_network(self, which, via):
        """A YOLO object gets another network, as after a training: here a copy of its own, moved by hand."""
        network = self.pick(which)
        if not network.owners:
            return
        owner = network.owners[via % len(network.owners)]
        other = Network(self.kind, deepcopy(network.net), network.state, [owner], network.told)
        owner.model, owner.predictor = other.net, None
        network.owners.remove(owner)
        network.left = True
        self.add(other)

    @owned
    @step(which=WHICH, mode=st.booleans())
    def predictor_by_hand(self, which, mode):
        network = self.pick(which)
        if len(network.kept) < 3:
            predictor = self.kind.predictor(self.mode(network, mode))
            predictor.setup_model(network.net, verbose=False)
            network.kept.append(predictor)

    @precondition(lambda self: any(network.kept for network in self.networks))
    @step(which=WHICH, via=WHICH)
    def predict_by_hand(self, which, via):
        network = self.pick(which)
        if network.kept:
            network.kept[via % len(network.kept)](picture())

    @owned
    @step(which=WHICH, via=WHICH, keep=st.booleans())
    def drop_predictor(self, which, via, keep):
        """``y.predictor = None``, as before a fresh predict; whoever kept the old one may run it still."""
        network = self.pick(which)
        if not keep:
            network.kept.clear()
        if network.owners:
            owner = network.owners[via % len(network.owners)]
            if keep and owner.predictor is not None:
                network.kept.append(owner.predictor)
            owner.predictor = None
