"""The passes of any head, one after another, each while no other thread uses the network."""

from collections.abc import Generator
from typing import Any

from .forward import Pass
from .head import Head
from .sources import check_original, open_door
from .turns import turns


def run_passes(head: Head, source: Any, **predict_args: Any) -> Generator[Pass, None, None]:
    """What ``head.passes`` gives, be it a generator, another iterator or a list; it is closed where it can be.

    Source and arguments are checked at once, before the first pass is asked for. The network is taken while a pass runs
    and free between two of them, so that a loop over passes may predict, trace and edit the same model. Raises
    SourceError for what is no image, TypeError and ValueError for arguments.
    """
    args = head.predict_args(predict_args)
    return _passes(head, open_door(source, multiple=head.tensor_multiple, channels=head.channels), args)


def _passes(head: Head, source: Any, args: dict) -> Generator[Pass, None, None]:
    turn = turns(head.net).passes
    with turn:
        passes = iter(head.passes(source, **args))
    try:
        while True:
            with turn:
                pass_ = next(passes, None)
            if pass_ is None:
                return
            check_original(pass_.path, pass_.original)
            yield pass_
    finally:
        close = getattr(passes, "close", None)
        if close is not None:
            close()
