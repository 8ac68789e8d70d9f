"""Findings of files that a systematic fault explains: told with it, and not on their own."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..findings import Finding

OF_BOXES = frozenset({"outside", "off_image", "empty_box"})
OF_IDS = frozenset({"class_negative", "class_unknown"})
OF_CLASSES = frozenset({"ids_shifted", "ids_alphabetical", "ids_coco91", "ids_permuted"})
NOT_BOXES = frozenset({"files_mispaired", "labels_missing", "classes_swapped", "classes_merged", "cannot_tell"})


def with_symptoms(systematic: Sequence[Finding], of_files: Iterable[Finding]) -> list[Finding]:
    """All findings but those of files that one before explains, which names them as its consequences."""
    by_code = {finding.code: finding for finding in of_files}
    found: list[Finding] = []
    explained: set[str] = set()
    for finding in systematic:
        symptoms = sorted(explained_by(finding.code) & set(by_code))
        explained |= set(symptoms)
        found.append(replace(finding, consequences=tuple(symptoms)))
    return [*found, *(finding for code, finding in by_code.items() if code not in explained)]


def explained_by(code: str) -> frozenset[str]:
    """The codes of files that a systematic fault may show itself by."""
    if code in OF_CLASSES:
        return OF_IDS
    return frozenset() if code in NOT_BOXES else OF_BOXES
