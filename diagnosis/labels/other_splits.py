"""What one split says of another that is too small to judge: its labels are probably written alike."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..findings import Finding
from .beyond import brought_back
from .report import Mend
from .symptoms import BRINGS_BACK
from .verdict import Verdict


def likely_source(verdict: Verdict, others: Iterable[Verdict]) -> Verdict | None:
    """The split whose reading probably holds of one that cannot be judged, as it brings rows back that leave images."""
    if verdict.geometry.by:
        return None
    read = (other for other in others if other is not verdict and other.geometry.reading.codes)
    return next((other for other in read if brought_back(verdict.material, other.geometry.reading)), None)


def told_with(finding: Finding, verdict: Verdict, source: Verdict) -> Finding:
    """That nothing can be told of a split, with what the other says."""
    if finding.code != "cannot_tell":
        return finding
    name, other = verdict.material.split, source.material.split
    codes = source.geometry.reading.codes
    text = (
        f"{finding.message} But {other} says {' + '.join(codes)} by {len(source.material.looked)} images; {name} "
        f"probably too: also={list(codes)} mends both."
    )
    lines = brought_back(verdict.material, source.geometry.reading)
    return replace(finding, message=text, evidence={**finding.evidence, "also": list(codes), BRINGS_BACK: lines})


def mends_with(mends: Sequence[Mend], verdict: Verdict, source: Verdict) -> list[Mend]:
    """The mends of a split with the reading of another, where it is asked for."""
    reading, split = source.geometry.reading, verdict.material.split
    images = tuple(map(Path, verdict.material.paths))
    listed = mends or [Mend(images=images, split=split)]
    return [replace(mend, reading=reading, codes=(*reading.codes, *mend.codes), proven=mend.sure) for mend in listed]
