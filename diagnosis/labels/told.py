"""Findings of a verdict, in words and numbers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..findings import CODES, Finding
from . import severity
from .beyond import brought_back
from .class_pairs import ClassPair
from .file_votes import FileVotes
from .how_to_mend import asked_for, in_python
from .mends import mendable, part_classes, rest_of
from .reading import Reading
from .rest import Rest
from .symptoms import BRINGS_BACK
from .told_classes import class_names, told_of_classes, told_of_roll
from .told_doubt import cannot_tell
from .verdict import Verdict, class_map_of, files_of, run_of
from .words import where

NAMED = 100  # files that a finding names
ANEW = "Label them anew; what they are is not in the files."
UNKNOWN = "What all ids mean there is not known, so that none is mended: look at report.suspects."
NOT_MENDED = {"classes_merged": ANEW}
FEW = 0.1  # of the boxes of files that vote for a reading, which may fit worse so
SEVERAL = 3  # findings of few files each, from which on they are summed up
AGAIN = "Run the check again after that."


def findings_of(verdict: Verdict) -> list[Finding]:
    """All findings of one split."""
    found = [*_pairing(verdict), *_geometry(verdict), *_classes(verdict), *_class_pairs(verdict)]
    found += [*told_of_roll(verdict), *told_of_classes(verdict), *_partial(verdict), *_missing(verdict)]
    return [*(found or cannot_tell(verdict)), *_ids(verdict)]


def _geometry(verdict: Verdict) -> Iterator[Finding]:
    geometry, model, edges = verdict.geometry, verdict.model, verdict.edges
    reading = geometry.reading
    if not reading.codes:
        return
    evidence: dict[str, Any] = {"by": geometry.by, "reading": str(reading), **_share(verdict)}
    evidence[BRINGS_BACK] = brought_back(verdict.material, reading)
    words = []
    if model is not None and model.capable:
        as_written = float(model.choice.means[0])
        fit = float(np.nanmean(model.own))
        evidence |= {"model_fit": fit, "model_fit_as_written": as_written, "images": model.gain.images}
        rivals = [str(model.hypotheses[i]) for i in model.choice.rivals[:3]]
        if rivals and model.choice.place:
            evidence["fits_as_well"] = rivals
        words.append(
            f"what the model sees in {model.gain.images} images fits the labels so read at {fit:.2f}, as written "
            f"at {as_written:.2f}"
        )
    if edges is not None and reading in edges.hypotheses:
        gain = edges.compared(reading, Reading())
        evidence |= {"edge_gain": gain.mean, "edge_se": gain.se}
        words.append(f"edges of {gain.images} images speak for it by {gain.mean:+.3f} ± {gain.se:.3f}")
    if geometry.contested:
        evidence["contested"] = True
        words.append(_contest(geometry.by))
    weight = severity.of_geometry(geometry)
    right = [one for entry in verdict.by_class if not entry.reading.codes for one in entry.classes]
    if right:
        evidence["right_as_written"] = right
        words.append(f"but boxes of {class_names(verdict.material, right)} are right as they are written, and stay so")
    for code in reading.codes:
        mend = _mend(weight, reading.codes)
        text = f"{_where(verdict)}{CODES[code]} (read as: {reading}); {'; '.join(words)}. {mend}"
        also = asked_for(weight, reading.codes)
        yield Finding(code, weight, None, text, {**evidence, **_numbers(code, reading), "also": also})


def _mend(weight: str, codes: Sequence[str]) -> str:
    """How to mend what has these codes; what is a warning is mended where it is asked for."""
    return in_python(asked_for(weight, codes))


def _contest(by: str) -> str:
    if by == "edges":
        return "but the model says that they are right as written: a model that was trained on these labels is blind"
    return "but the edges say that they are right as written: look before you mend"


def _numbers(code: str, reading: Reading) -> dict[str, Any]:
    """The numbers of a fitted departure."""
    if code == "shifted":
        return {"shift": list(reading.shift)}
    if code in ("scaled", "half_size", "double_size"):
        return {"size": reading.size, "scale": list(reading.scale), "shift": list(reading.shift)}
    return {"unit": reading.unit} if code == "other_unit" else {}


def _pairing(verdict: Verdict) -> Iterator[Finding]:
    pairing = None if verdict.model is None else verdict.model.pairing
    if pairing is None:
        return
    weight = severity.of_pairing(pairing)
    places = run_of(verdict)
    share = len(places) / len(verdict.material.paths)
    first = Path(verdict.material.paths[int(places[0])])
    text = (
        f"{_where(verdict)}the label files from {first.name} on, {len(places)} of {len(verdict.material.paths)}, fit "
        f"the images {abs(pairing.places)} places {'further on' if pairing.places > 0 else 'before'} better than "
        f"their own, by {pairing.gain.mean:.2f} of the fit. {_mend(weight, ['files_mispaired'])}"
    )
    evidence = {
        "share": share,
        "k": pairing.places,
        "from": str(first),
        "also": asked_for(weight, ["files_mispaired"]),
        "gain": pairing.gain.mean,
        "se": pairing.gain.se,
        "by": "model",
        "split": verdict.material.split,
        **_files([Path(verdict.material.paths[place]) for place in places.tolist()]),
    }
    yield Finding("files_mispaired", weight, None, text, evidence)


def _classes(verdict: Verdict) -> Iterator[Finding]:
    choice = verdict.classes
    if choice is None or not choice.proven:
        return
    names = verdict.material.names
    meant = class_map_of(verdict)
    told = ", ".join(f"{i} is {names.get(j, j)}" for i, j in list(meant.items())[:4])
    weight = severity.of_classes(choice)
    mend = "Other ids are too rare to be placed, so that none is mended: do it by hand."
    if mendable(verdict):
        mend = _mend(weight, [choice.map.code])
    text = (
        f"{_where(verdict)}{CODES[choice.map.code]}: read so, {choice.explained:.0%} of {choice.pairs} labels have the "
        f"class that the model sees there, as written {choice.as_written:.0%}; {told} … {mend}"
    )
    evidence = {
        "k": choice.map.k,
        "explained": choice.explained,
        "as_written": choice.as_written,
        "pairs": choice.pairs,
        "by": "model",
        "classes": {str(i): j for i, j in meant.items()},
        "also": asked_for(weight, [choice.map.code]),
        **_share(verdict),
    }
    yield Finding(choice.map.code, weight, None, text, evidence)


def _ids(verdict: Verdict) -> Iterator[Finding]:
    """What the class ids alone suggest."""
    if verdict.ids is None:
        return
    code = verdict.ids.map.code
    mend = _mend(severity.WARNING, [code]) if mendable(verdict) else ""
    text = (
        f"{_where(verdict)}{CODES[code]}: {verdict.ids.why}. Nothing was seen of the classes; a model that knows them "
        f"would prove it. {mend}"
    )
    evidence = {"by": "ids", "k": verdict.ids.map.k, "also": [code], **_share(verdict)}
    yield Finding(code, severity.WARNING, None, text.rstrip(), evidence)


def _class_pairs(verdict: Verdict) -> Iterator[Finding]:
    for pair in verdict.pairs:
        yield _class_pair(verdict, pair)


def _class_pair(verdict: Verdict, pair: ClassPair) -> Finding:
    one, other = (verdict.material.names.get(i, str(i)) for i in (pair.first, pair.second))
    weight = severity.of_class_pair(pair)
    if pair.code == "classes_swapped":
        what = f"{one!r} and {other!r} are labelled one for the other in {pair.for_each_other} of {pair.pairs} labels"
        mend = _mend(weight, [pair.code])
    else:
        what = (
            f"{other!r} is never labelled, but the model sees it at {pair.for_each_other} of {pair.pairs} labels of "
            f"{one!r}"
        )
        mend = ANEW
    evidence = {
        "first": one,
        "second": other,
        "ids": [pair.first, pair.second],
        "crossed": pair.for_each_other,
        "also": asked_for(weight, [pair.code]),
        "pairs": pair.pairs,
        "by": "model",
        **_share(verdict),
    }
    return Finding(pair.code, weight, None, f"{_where(verdict)}{what}. {mend}", evidence)


def _partial(verdict: Verdict) -> Iterator[Finding]:
    for entry in verdict.votes:
        images = files_of(verdict, entry.files)
        codes = entry.reading.codes if entry.reading is not None else (entry.code,)
        held = "as the rest" if entry.reading is not None else "as written"
        weight = severity.of_votes(entry)
        rest = rest_of(verdict, entry)
        scattered = _scattered(verdict) if entry is verdict.votes[0] else ""
        for code in codes:
            mended = entry.reading is not None or part_classes(verdict, entry)
            mend = _mend(weight, codes) if mended else NOT_MENDED.get(code, UNKNOWN)
            text = (
                f"{_where(verdict)}in {len(images)} of {entry.could} files in which the model sees what is labelled, "
                f"{CODES[code]}, such as {images[0].name}; read so they fit what the model sees, {held} they do not."
                f"{_mixed(entry)}{'' if rest is None else f' {rest}.'}{scattered} {mend}"
            )
            evidence = {
                "by": "model",
                "share": len(images) / entry.could,
                "boxes_better": entry.better,
                "boxes_worse": entry.worse,
                "probability": entry.probability,
                "reading": str(entry.reading or ""),
                "k": entry.k,
                "also": asked_for(weight, codes),
                "split": verdict.material.split,
                **_files(images),
                **_left(rest),
            }
            yield Finding(code, weight, None, text, evidence)


def _mixed(entry: FileVotes) -> str:
    """That part of the boxes of the files contradicts."""
    told = entry.better + entry.worse
    if entry.worse <= FEW * told:
        return ""
    return (
        f" But only {entry.better} of the {told} boxes of these files that tell fit better so: mend them whole only if "
        "the figure says so."
    )


def _scattered(verdict: Verdict) -> str:
    """That several findings of few files each hold for most files together."""
    votes = verdict.votes
    files, could = sum(len(entry.files) for entry in votes), max(entry.could for entry in votes)
    if len(votes) < SEVERAL or files <= could / 2:
        return ""
    return (
        f" {len(votes)} findings hold for {files} of {could} files together: most files deviate, by no single reading. "
        "Look at what wrote them before you mend parts."
    )


def _left(rest: Rest | None) -> dict[str, Any]:
    """Files that are left as they are, by name, and how many."""
    if rest is None:
        return {}
    fit, unsure = rest.left_as_written, rest.could_not_tell
    return {
        "left_as_written": [str(path) for path in fit[:NAMED]],
        "left_as_written_count": len(fit),
        "could_not_tell": [str(path) for path in unsure[:NAMED]],
        "could_not_tell_count": len(unsure),
    }


def _missing(verdict: Verdict) -> Iterator[Finding]:
    missing = verdict.missing
    if missing is None:
        return
    evidence: dict[str, Any] = {"by": "model", "split": verdict.material.split, "sure": missing.sure}
    if missing.proven:
        text = (
            f"{_where(verdict)}{missing.share:.0%} of {missing.sure} objects that the model is sure of have no label. "
            f"Label them, or train without these images; report.suspects lists them. {AGAIN}"
        )
        evidence |= {"share": missing.share, "lacking": missing.lacking}
        yield Finding("labels_missing", "warning", None, text, evidence)
    elif len(missing.partly):
        images = files_of(verdict, missing.partly)
        text = (
            f"{_where(verdict)}{len(images)} files lack about half of the objects that the model is sure of, as the "
            f"rest do not, such as {images[0].name}. Label them; report.suspects lists them. {AGAIN}"
        )
        evidence |= {"share": len(images) / len(verdict.material.looked), "probability": missing.probability}
        yield Finding("labels_missing", "warning", None, text, evidence | _files(images))
    elif missing.too_many:
        images = files_of(verdict, missing.empty)
        text = (
            f"{_where(verdict)}{len(images)} files have no label although the model is sure of objects, such as "
            f"{images[0].name}. Label them. {AGAIN}"
        )
        evidence |= {"share": len(images) / len(verdict.material.looked), **_files(images)}
        yield Finding("labels_missing", "warning", None, text, evidence)


def _share(verdict: Verdict) -> dict[str, Any]:
    """The part of the files that a finding about the whole split holds for."""
    others = sum(len(entry.files) for entry in verdict.votes)
    could = max((entry.could for entry in verdict.votes), default=1)
    return {"share": 1 - others / could, "split": verdict.material.split, "files_count": len(verdict.material.paths)}


def _files(images: Sequence[Path]) -> dict[str, Any]:
    return {"files": [str(path) for path in images[:NAMED]], "files_count": len(images)}


def _where(verdict: Verdict) -> str:
    return where(verdict.material.split)
