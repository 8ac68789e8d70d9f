"""What a fault of a decoder is."""

from .decoder import Decoder


class Fault(Decoder):
    """A mix-in that stands before a decoder; its methods call the decoder's and spoil what comes."""

    codes: frozenset[str] = frozenset()
    severity = "error"
    suits: tuple[str, ...] = ()
