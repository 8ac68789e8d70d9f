"""Sets that leak: the same image in two splits, or twice in one, by path, by bytes, and by what it shows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ...findings import Finding
from .exact import exact_copies
from .near import near_copies
from .pictures import ImageFile
from .rows import NAMED, SHOWN

MOST = 50_000  # images beyond which pictures are not compared, but bytes alone


@dataclass(frozen=True)
class Copies:
    """Groups of images that are one: ``groups`` of (split, path); ``exact``: of those, byte by byte the same.

    ``same``: paths that stand in two splits, by the names of both. ``compared``: whether pictures were compared too.
    """

    groups: tuple[tuple[tuple[str, Path], ...], ...]
    exact: tuple[bool, ...]
    same: Mapping[tuple[str, str], tuple[Path, ...]]
    counts: Mapping[str, int]
    compared: bool


def find_copies(splits: Mapping[str, Sequence[ImageFile]], progress: bool = True, most: int = MOST) -> Copies:
    """Compare all images of all splits; beyond ``most`` images by their bytes alone, which needs no decoding."""
    owner: dict[Path, tuple[str, ImageFile]] = {}
    for split, files in splits.items():
        for entry in files:
            owner.setdefault(entry.path, (split, entry))
    entries = list(owner.values())
    paths = [entry.path for _, entry in entries]
    exact = exact_copies(paths, [entry.bytes for _, entry in entries], progress)
    compared = len(entries) <= most
    links = [(group[0], place) for group in exact for place in group[1:]]
    first = {place: group[0] for group in exact for place in group}
    if compared:
        later = {place for group in exact for place in group[1:]}
        sizes = [None if place in later or entry.fault else entry.size for place, (_, entry) in enumerate(entries)]
        links += near_copies(paths, sizes, progress)
    groups = _groups(links, len(entries))
    return Copies(
        groups=tuple(tuple((entries[place][0], paths[place]) for place in group) for group in groups),
        exact=tuple(len({first.get(place, place) for place in group}) == 1 for group in groups),
        same=_same_paths(splits),
        counts={split: len(files) for split, files in splits.items()},
        compared=compared,
    )


def copy_findings(copies: Copies) -> list[Finding]:
    """``leak`` for each two splits that share images, ``image_copies`` for each split that holds some twice."""
    found = [_same_list(copies, pair, paths) for pair, paths in copies.same.items()]
    for one, other in combinations(copies.counts, 2):
        found += _leak(copies, one, other)
    for split in copies.counts:
        found += _twice(copies, split)
    return found


def _groups(links: Sequence[tuple[int, int]], count: int) -> list[list[int]]:
    """Places that are linked, in two or more steps too."""
    if not links:
        return []
    a, b = np.array(links).T
    _, group = connected_components(coo_array((np.ones(len(a)), (a, b)), (count, count)), directed=False)
    members: dict[int, list[int]] = {}
    for place in sorted({*a.tolist(), *b.tolist()}):
        members.setdefault(int(group[place]), []).append(place)
    return list(members.values())


def _same_paths(splits: Mapping[str, Sequence[ImageFile]]) -> dict[tuple[str, str], tuple[Path, ...]]:
    listed = {split: {entry.path for entry in files} for split, files in splits.items()}
    shared = {(a, b): tuple(sorted(listed[a] & listed[b])) for a, b in combinations(splits, 2)}
    return {pair: paths for pair, paths in shared.items() if paths}


def _same_list(copies: Copies, pair: tuple[str, str], paths: Sequence[Path]) -> Finding:
    one, other = pair
    share = len(paths) / copies.counts[other]
    return Finding(
        code="leak",
        severity="warning",
        level=None,
        message=(
            f"{len(paths)} files ({share:.0%} of {other!r}) are listed in {one!r} and in {other!r}: scores on "
            f"{other!r} tell how well they are known by heart. Give each split files of its own."
        ),
        evidence={"splits": pair, "same_files": len(paths), "share": share, "files": _named(paths)},
    )


def _leak(copies: Copies, one: str, other: str) -> Iterator[Finding]:
    """Images of ``other`` that stand in ``one`` under another name."""
    leaked: list[Path] = []
    pairs: list[tuple[str, str]] = []
    exact = 0
    for group, same in zip(copies.groups, copies.exact, strict=True):
        here = [path for split, path in group if split == other]
        there = [path for split, path in group if split == one]
        if here and there:
            leaked += here
            exact += len(here) if same else 0
            pairs.append((str(there[0]), str(here[0])))
    if leaked:
        share = len(leaked) / copies.counts[other]
        yield Finding(
            code="leak",
            severity="error" if exact else "warning",
            level=None,
            message=(
                f"{len(leaked)} images of {other!r} ({share:.1%}) stand in {one!r} too, {exact} of them byte by byte, "
                f"the others encoded or sized anew: {_told(pairs)}. Scores on {other!r} are better than on new images. "
                "Keep each in one split."
            ),
            evidence={
                "splits": (one, other),
                "count": len(leaked),
                "exact": exact,
                "share": share,
                "pairs": tuple(pairs[:NAMED]),
                "files": _named(leaked),
            },
        )


def _twice(copies: Copies, split: str) -> Iterator[Finding]:
    """Images that a split holds more than once."""
    pairs: list[tuple[str, str]] = []
    exact = 0
    for group, same in zip(copies.groups, copies.exact, strict=True):
        here = [str(path) for owner, path in group if owner == split]
        pairs += [(here[0], path) for path in here[1:]]
        exact += max(0, len(here) - 1) if same else 0
    if pairs:
        share = len(pairs) / copies.counts[split]
        yield Finding(
            code="image_copies",
            severity="warning",
            level=None,
            message=(
                f"{len(pairs)} images of {split!r} ({share:.1%}) are copies of others in it, {exact} of them byte by "
                f"byte: {_told(pairs)}. They count twice. Keep each once, with the better labels."
            ),
            evidence={
                "splits": (split,),
                "count": len(pairs),
                "exact": exact,
                "share": share,
                "pairs": tuple(pairs[:NAMED]),
                "files": _named([copy for _, copy in pairs]),
            },
        )


def _told(pairs: Sequence[tuple[str, str]]) -> str:
    shown = ", ".join(f"{a} = {b}" for a, b in pairs[:SHOWN])
    return shown + (f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else "")


def _named(paths: Iterable[Path | str]) -> tuple[str, ...]:
    return tuple(str(path) for path in paths)[:NAMED]
