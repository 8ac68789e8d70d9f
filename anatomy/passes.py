"""The passes of any head, one after another, each while no other thread uses the network."""

from collections.abc import Iterator

from .head import Head, Pass
from .turns import turns


def run_passes(head: Head, source, **predict_args) -> Iterator[Pass]:
    """What ``head.passes`` gives, be it a generator, another iterator or a list; it is closed where it can be.

    The network is taken while a pass runs and free between two of them, so that a loop over passes may predict, trace
    and edit the same model.
    """
    turn = turns(head.net).passes
    with turn:
        passes = iter(head.passes(source, **predict_args))
    try:
        while True:
            with turn:
                run = next(passes, None)
            if run is None:
                return
            yield run
    finally:
        close = getattr(passes, "close", None)
        if close is not None:
            close()
