"""Single suspects of a split that was judged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .suspects import find_suspects, suspect_dicts
from .verdict import Verdict, class_map_of

MOST = 2000  # of a split, the likeliest first


def suspects_of(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """Rows of the table of suspects, as the labels are read by the verdict; none where a model cannot judge."""
    model, material = verdict.model, verdict.material
    if model is None or not model.capable or material.seen is None or not material.classes_known:
        return
    meant = class_map_of(verdict)
    found = find_suspects(model.rows, material.seen, model.reading, meant)
    paths = [Path(material.paths[place]) for place in material.looked.tolist()]
    rows = suspect_dicts(
        found=found,
        rows=model.rows,
        seen=material.seen,
        reading=model.reading,
        names=material.names,
        paths=paths,
        meant=meant,
        split=material.split,
    )
    for place, row in enumerate(rows):
        if place == MOST:
            return
        yield row
