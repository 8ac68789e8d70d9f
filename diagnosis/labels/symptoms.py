"""Findings of files that a systematic fault explains: told with it, and not on their own."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..findings import Finding

OF_BOXES = frozenset({"outside", "off_image", "empty_box"})
BEYOND = frozenset({"outside", "off_image"})
BRINGS_BACK = "brings_back"  # evidence: how many rows leave the image that a reading brings back, 0 for few of them
OF_IDS = frozenset({"class_negative", "class_unknown"})
OF_CLASSES = frozenset({"ids_shifted", "ids_alphabetical", "ids_as_strings", "ids_coco91", "ids_permuted"})
NOT_BOXES = frozenset(
    {"files_mispaired", "labels_missing", "classes_swapped", "classes_merged", "ids_rolled", "cannot_tell"}
)


def with_symptoms(systematic: Sequence[Finding], of_files: Iterable[Finding]) -> list[Finding]:
    """All findings but those of files that one before explains, which names them as its consequences.

    What the files alone prove to be an error stays one: only an error explains it away, or a reading that brings the
    rows back that leave the image, which is then told as an error; what it mends by itself stays the same.
    """
    of_files = list(of_files)
    found: list[Finding] = []
    explained: list[Finding] = []
    for finding in systematic:
        symptoms = [one for one in of_files if _explains(finding, one)]
        explained += symptoms
        found.append(_told_with(finding, symptoms))
    return [*found, *(one for one in of_files if one not in explained)]


def _told_with(finding: Finding, symptoms: Sequence[Finding]) -> Finding:
    """A fault with its consequences; where rows prove that something is wrong, and it brings them back, an error."""
    codes = tuple(sorted({one.code for one in symptoms}))
    finding = replace(finding, consequences=codes)
    if not any(one.severity == "error" for one in symptoms) or finding.severity == "error":
        return finding
    lines, asked = finding.evidence[BRINGS_BACK], finding.evidence.get("also")
    cause = " + ".join(asked) if isinstance(asked, list) else finding.code
    text = f"{finding.message} {cause} explains these {lines} lines that leave the image ({', '.join(codes)})."
    return replace(finding, severity="error", message=text)


def _explains(finding: Finding, symptom: Finding) -> bool:
    """Whether a systematic fault explains a finding of files, and weighs no less."""
    weighs_no_less = finding.severity == "error" or symptom.severity != "error"
    brings_back = symptom.code in BEYOND and bool(finding.evidence.get(BRINGS_BACK))
    return brings_back or (symptom.code in explained_by(finding.code) and weighs_no_less)


def explained_by(code: str) -> frozenset[str]:
    """The codes of files that a systematic fault may show itself by."""
    if code in OF_CLASSES:
        return OF_IDS
    return frozenset() if code in NOT_BOXES else OF_BOXES
