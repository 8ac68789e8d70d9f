"""Rules that change weights by other means than surgery: the record must notice, and never write over them unasked."""

from copy import deepcopy

import torch
from hypothesis import strategies as st
from hypothesis.stateful import precondition

from .base import Ground, step
from .choices import NUMBERS, SEEDS, WHICH

owned = precondition(lambda self: self.kind.owned)


class Outside(Ground):
    @step(which=WHICH, numbers=NUMBERS, seed=SEEDS)
    def optimizer_step(self, which, numbers, seed):
        """One step of SGD that moves the class rows of some levels."""
        network, generator = self.pick(which), torch.Generator().manual_seed(seed)
        convs = list(self.kind.convs(network.net).values())
        chosen = {id(conv): conv for conv in (convs[number % len(convs)] for number in numbers)}
        weights = [conv.weight for conv in chosen.values()]
        for weight in weights:
            weight.grad = torch.randn(weight.shape, generator=generator).to(weight.dtype)
        torch.optim.SGD(weights, lr=0.01).step()
        for weight in weights:
            weight.grad = None
        network.changed_outside(everything_else=False)

    @step(which=WHICH, seed=SEEDS)
    def other_weights_change(self, which, seed):
        """Weights elsewhere in the network change, and no class row."""
        network = self.pick(which)
        rows = {id(part) for conv in self.kind.convs(network.net).values() for part in (conv.weight, conv.bias)}
        others = [part for part in network.net.parameters() if id(part) not in rows and part.is_floating_point()]
        with torch.no_grad():
            others[seed % len(others)].mul_(1.25)
        network.changed_outside()
        self.traces.clear()

    @step(which=WHICH, numbers=NUMBERS, undone=st.booleans())
    def by_hand(self, which, numbers, undone):
        """A class row is changed by hand, and sometimes put back at once, so that nothing has changed."""
        network = self.pick(which)
        convs = list(self.kind.convs(network.net).values())
        conv = convs[numbers[0] % len(convs)]
        with torch.no_grad():
            before = conv.weight.clone()
            conv.weight[numbers[-1] % len(conv.weight)] += 0.5
            if undone:
                conv.weight.copy_(before)
        network.changed_outside(everything_else=False)

    @step(which=WHICH, via=WHICH, other=WHICH, yolo=st.booleans())
    def load_weights(self, which, via, other, yolo):
        """``load_state_dict``, or ``y.load`` (which drops the predictor of this object alone).

        The weights are those of another living network, or those that the network was built with, where they fit.
        """
        network = self.pick(which)
        source = self.kind.fresh() if other == 0 else self.pick(other).net
        if yolo and network.owners:
            network.owners[via % len(network.owners)].load(deepcopy(source))  # which it converts
        elif source.state_dict().keys() == network.net.state_dict().keys():
            network.net.load_state_dict(source.state_dict())
        network.changed_outside()
        self.traces.clear()

    @owned
    @step(which=WHICH, via=WHICH, half=st.booleans())
    def convert(self, which, via, half):
        """``half()`` or ``float()``, by the YOLO object or the bare network."""
        network = self.pick(which)
        handle = self.handle(network, via)
        if half and not network.state.fits_half:
            return
        handle.half() if half else handle.float()
        network.changed_outside()
        self.traces.clear()

    @owned
    @step(which=WHICH, via=WHICH, one2one=st.booleans())
    def fuse(self, which, via, one2one):
        """Batch norms are merged, and of two branches one is dropped."""
        network = self.pick(which)
        if network.state.dtype.itemsize == 4:
            if self.kind.two_branches and len(network.state.branches) == 2:
                network.net.end2end = one2one
            network.net.fuse(verbose=False)
            network.changed_outside()
            self.traces.clear()
