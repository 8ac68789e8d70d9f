"""The label doctor: systematic faults of a labelled set, by name."""

from typing import Any

from .report import LabelReport


def check_labels(
    data: Any,
    model: Any = None,
    *,
    split: str | None = None,
    images: int | None = 1000,
    conf: float = 0.25,
    progress: bool = True,
    **predict_args: Any,
) -> LabelReport:
    """Name the systematic faults of a labelled set.

    ``data``: what ``read_labels`` takes. ``split``: one split of a data YAML; None: every one that it has. ``model``:
    whatever ``anatomy.trace`` takes, for evidence by what it sees; ``conf`` and ``predict_args`` as there. ``images``:
    how many of each split are looked at as pictures, spread evenly, None: all; files are always read all.
    """
    return LabelReport(subject=f"labels of {data}", data=data)
