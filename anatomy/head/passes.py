"""The passes of any head, one after another, each while no other thread uses the network."""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import numpy as np

from .batches import Batch
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
    opened = open_door(source, multiple=head.tensor_multiple, channels=head.channels)
    return _in_turn(head, lambda: head.passes(opened, **args))


def run_batch(
    head: Head, images: Sequence[np.ndarray], batch: Batch, *, imgsz: int, **predict_args: Any
) -> Generator[Pass, None, None]:
    """The passes of images (H, W, 3) uint8 BGR, as validation puts this batch into the network's input."""
    args = head.predict_args({"imgsz": imgsz, **predict_args})
    return _in_turn(head, lambda: head.batch_passes(images, batch, **args))


def _in_turn(head: Head, begin: Callable[[], Iterable[Pass]]) -> Generator[Pass, None, None]:
    """What ``begin`` gives, each pass while the network is held."""
    turn = turns(head.net).passes
    with turn.held():
        passes = iter(begin())
    try:
        while True:
            with turn.held():
                pass_ = next(passes, None)
            if pass_ is None:
                return
            check_original(pass_.path, pass_.original)
            yield pass_
    finally:
        close = getattr(passes, "close", None)
        if close is not None:
            close()
