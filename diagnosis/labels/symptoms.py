"""Findings of files that a systematic fault explains: told with it, and not on their own."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..findings import Finding

OF_BOXES = frozenset({"outside", "off_image", "empty_box"})
OF_IDS = frozenset({"class_negative", "class_unknown"})
OF_CLASSES = frozenset({"ids_shifted", "ids_alphabetical", "ids_coco91", "ids_permuted"})
NOT_BOXES = frozenset({"files_mispaired", "labels_missing", "classes_swapped", "classes_merged", "cannot_tell"})


def with_symptoms(systematic: Sequence[Finding], of_files: Iterable[Finding]) -> list[Finding]:
    """All findings but those of files that one before explains, which names them as its consequences.

    What the files alone prove to be an error stays one: only an error explains it away.
    """
    of_files = list(of_files)
    found: list[Finding] = []
    explained: list[Finding] = []
    for finding in systematic:
        symptoms = [one for one in of_files if _explains(finding, one)]
        explained += symptoms
        found.append(replace(finding, consequences=tuple(sorted({one.code for one in symptoms}))))
    return [*found, *(one for one in of_files if one not in explained)]


def _explains(finding: Finding, symptom: Finding) -> bool:
    """Whether a systematic fault explains a finding of files, and weighs no less."""
    return symptom.code in explained_by(finding.code) and not (symptom.severity == "error" != finding.severity)


def explained_by(code: str) -> frozenset[str]:
    """The codes of files that a systematic fault may show itself by."""
    if code in OF_CLASSES:
        return OF_IDS
    return frozenset() if code in NOT_BOXES else OF_BOXES
