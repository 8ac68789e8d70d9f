"""Single suspects of a split that was judged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .as_read import as_meant, as_read
from .class_readings import of_classes
from .reading import Reading
from .suspects import find_suspects, suspect_dicts
from .verdict import Verdict, class_map_of

MOST = 2000  # of a split, the likeliest first


def suspects_of(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """Rows of the table of suspects, as the labels of each file are read; none where a model cannot judge."""
    model, material = verdict.model, verdict.material
    if model is None or not model.capable or material.seen is None or not material.classes_known:
        return
    read = as_read(model.rows, material.seen, model.reading, verdict.votes, of_classes(verdict.by_class))
    read = as_meant(read, class_map_of(verdict), verdict.votes)
    found = find_suspects(read, material.seen, Reading())
    paths = [Path(material.paths[place]) for place in material.looked.tolist()]
    rows = suspect_dicts(
        found=found,
        rows=read,
        seen=material.seen,
        reading=Reading(),
        names=material.names,
        paths=paths,
        split=material.split,
    )
    for place, row in enumerate(rows):
        if place == MOST:
            return
        yield row
