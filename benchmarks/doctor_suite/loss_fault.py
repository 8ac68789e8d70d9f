"""What a fault of a loss is."""

from .faults.fault import named
from .loss import Loss

ORDER, MINIMUM, GRADIENT = named("not_permutation_invariant"), named("not_minimal"), named("no_gradient")


class Fault(Loss):
    """A mix-in that stands before a loss; its methods call the loss's and spoil what comes."""

    codes: frozenset[str] = frozenset()
    severity = "error"
    suits: tuple[str, ...] = ()
