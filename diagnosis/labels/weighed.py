"""The table of every reading that was weighed."""

from typing import Any

import numpy as np

from .reading import Reading
from .search import difference
from .verdict import Verdict


def weighed(verdict: Verdict) -> list[dict[str, Any]]:
    """A row for each hypothesis, of the model and of the edges; what was refined from it is one of its own."""
    rows: dict[Reading, dict[str, Any]] = {}
    model, edges = verdict.model, verdict.edges
    if model is not None:
        for reading, column in zip(model.hypotheses, model.fits.T, strict=True):
            gain = difference(column - model.fits[:, 0])
            rows[reading] = _row(verdict, reading) | _numbers("model", column, gain.se)
            rows[reading]["files"] = int(np.isfinite(column).sum())
        if model.reading not in rows:
            rows[model.reading] = _row(verdict, model.reading) | _numbers("model", model.own, model.gain.se)
            rows[model.reading]["files"] = model.gain.images
    if edges is not None:
        for reading, column in zip(edges.hypotheses, edges.fits.T, strict=True):
            gain = difference(column - edges.fits[:, 0])
            row = rows.setdefault(reading, _row(verdict, reading))
            row |= _numbers("edge", column, gain.se)
            row["files"] = max(row["files"], len(column))
    return list(rows.values())


def _row(verdict: Verdict, reading: Reading) -> dict[str, Any]:
    return {
        "split": verdict.material.split,
        "reading": str(reading),
        "codes": " + ".join(reading.codes),
        "model_fit": None,
        "model_se": None,
        "edge_fit": None,
        "edge_se": None,
        "files": 0,
    }


def _numbers(kind: str, column: np.ndarray, error: float) -> dict[str, float | None]:
    known = column[np.isfinite(column)]
    mean = float(known.mean()) if len(known) else None
    return {f"{kind}_fit": mean, f"{kind}_se": error if np.isfinite(error) else None}
