"""Findings of a verdict, in words and numbers, and the mends that go with them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..findings import CODES, Finding
from .class_pairs import ClassPair
from .file_votes import FileVotes
from .reading import Reading
from .report import Mend
from .search import FEWEST
from .verdict import Verdict, class_map_of, files_of

OF_A_NAME = ("ids_shifted", "ids_alphabetical", "ids_coco91")  # maps that hold for every id, in whatever file
NAMED = 100  # files that a finding names
NEARLY_ALL = 0.8  # part of the pairs from which on a class map is an error
MEND = "diagnosis.fix_labels(report, data, out) writes mended copies; look at viz.labels(report) first."
AGAIN = "Run the check again after that."


def findings_of(verdict: Verdict) -> list[Finding]:
    """All findings of one split."""
    found = [*_pairing(verdict), *_geometry(verdict), *_classes(verdict), *_class_pairs(verdict)]
    found += [*_partial(verdict), *_missing(verdict)]
    return found or [*_cannot_tell(verdict)]


def mends_of(verdict: Verdict) -> list[Mend]:
    """What would make the split right: one mend for most files, others for those that vote otherwise."""
    classes, reading = _mendable(verdict), verdict.geometry.reading
    if verdict.geometry.contested:
        reading = Reading()
    found, others = [], np.zeros(len(verdict.material.paths), bool)
    for entry in verdict.votes:
        if entry.code and not _part_classes(verdict, entry):
            continue
        others[verdict.material.looked[entry.files]] = True
        found.append(_mend(verdict, files_of(verdict, entry.files), entry, classes))
    pairing = None if verdict.model is None else verdict.model.pairing
    run = np.zeros(len(others), bool)
    if pairing is not None:
        run[_run_of(verdict)] = True
    for places, which in ((pairing.places if pairing else 0, run), (0, ~run)):
        images = tuple(Path(verdict.material.paths[i]) for i in np.flatnonzero(which & ~others).tolist())
        if images and (places or classes or reading != Reading()):
            of_ids = _class_codes(verdict) if classes else ()
            codes = (*(("files_mispaired",) if places else ()), *reading.codes, *of_ids)
            mend = Mend(
                images=images,
                reading=reading,
                classes=classes,
                pairing=places,
                split=verdict.material.split,
                codes=codes,
            )
            found.append(mend)
    return [mend for mend in found if mend.pairing or mend.classes or mend.reading != Reading()]


def _mendable(verdict: Verdict) -> dict[int, int]:
    """The map of the ids, or {} where it would make two classes one, as where some ids are too rare to be placed."""
    classes, used = class_map_of(verdict), verdict.material.used.tolist()
    meant = {classes.get(i, i) for i in used}
    return classes if len(meant) == len(used) else {}


def _mend(verdict: Verdict, images: Sequence[Path], entry: FileVotes, classes: dict[int, int]) -> Mend:
    if entry.code:
        classes = _part_classes(verdict, entry)
    reading = verdict.geometry.reading if entry.reading is None else entry.reading
    codes = (entry.code,) if entry.reading is None else reading.codes
    return Mend(
        images=tuple(images), reading=reading, classes=classes, split=verdict.material.split, codes=tuple(codes)
    )


def _part_classes(verdict: Verdict, entry: FileVotes) -> dict[int, int]:
    """The map of the ids of some files, or {} where it is not known, or would make two classes one."""
    meant, used = entry.meant or {}, verdict.material.used.tolist()
    found = {i: meant[i] for i in used if meant.get(i, i) != i}
    return found if len({found.get(i, i) for i in used}) == len(used) or entry.code in OF_A_NAME else {}


def _class_codes(verdict: Verdict) -> tuple[str, ...]:
    held = verdict.classes.map.code if verdict.classes else ""
    swaps = ["classes_swapped"] if any(pair.code == "classes_swapped" for pair in verdict.pairs) else []
    return tuple(code for code in (held, *swaps) if code)


def _geometry(verdict: Verdict) -> Iterator[Finding]:
    geometry, model, edges = verdict.geometry, verdict.model, verdict.edges
    reading = geometry.reading
    if not reading.codes:
        return
    evidence: dict[str, Any] = {"by": geometry.by, "reading": str(reading), **_share(verdict)}
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
    proven_by_files = any(code.startswith("pixels") or code == "other_unit" for code in reading.codes)
    severity = "error" if geometry.by == "both" or (proven_by_files and not geometry.contested) else "warning"
    for code in reading.codes:
        text = f"{_where(verdict)}{CODES[code]} (read as: {reading}); {'; '.join(words)}. {MEND}"
        yield Finding(code, severity, None, text, {**evidence, **_numbers(code, reading)})


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
    places = _run_of(verdict)
    share = len(places) / len(verdict.material.paths)
    first = Path(verdict.material.paths[int(places[0])])
    text = (
        f"{_where(verdict)}the label files from {first.name} on, {len(places)} of {len(verdict.material.paths)}, fit "
        f"the images {abs(pairing.places)} places {'further on' if pairing.places > 0 else 'before'} better than "
        f"their own, by {pairing.gain.mean:.2f} of the fit. {MEND}"
    )
    evidence = {
        "share": share,
        "k": pairing.places,
        "from": str(first),
        "gain": pairing.gain.mean,
        "se": pairing.gain.se,
        "by": "model",
        "split": verdict.material.split,
        **_files([Path(verdict.material.paths[place]) for place in places.tolist()]),
    }
    yield Finding("files_mispaired", "error" if pairing.gain.images >= 2 * FEWEST else "warning", None, text, evidence)


def _run_of(verdict: Verdict) -> np.ndarray:
    """The places in the whole list of the files of the run that is mispaired."""
    pairing = verdict.model.pairing if verdict.model else None
    if pairing is None:
        return np.empty(0, np.int64)
    looked, count = verdict.material.looked, len(verdict.material.paths)
    begin = 0 if pairing.begin <= abs(pairing.places) else int(looked[pairing.begin])
    last = pairing.end >= len(looked) - abs(pairing.places)
    return np.arange(begin, count if last else int(looked[pairing.end - 1]) + 1)


def _classes(verdict: Verdict) -> Iterator[Finding]:
    choice = verdict.classes
    if choice is None or not choice.proven:
        return
    names = verdict.material.names
    meant = class_map_of(verdict)
    told = ", ".join(f"{i} is {names.get(j, j)}" for i, j in list(meant.items())[:4])
    mend = MEND if _mendable(verdict) else "Other ids are too rare to be placed, so that none is mended: do it by hand."
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
        **_share(verdict),
    }
    severity = "error" if choice.explained >= NEARLY_ALL else "warning"
    yield Finding(choice.map.code, severity, None, text, evidence)


def _class_pairs(verdict: Verdict) -> Iterator[Finding]:
    for pair in verdict.pairs:
        yield _class_pair(verdict, pair)


def _class_pair(verdict: Verdict, pair: ClassPair) -> Finding:
    one, other = (verdict.material.names.get(i, str(i)) for i in (pair.first, pair.second))
    if pair.code == "classes_swapped":
        what = f"{one!r} and {other!r} are labelled one for the other in {pair.for_each_other} of {pair.pairs} labels"
        mend = MEND
    else:
        what = (
            f"{other!r} is never labelled, but the model sees it at {pair.for_each_other} of {pair.pairs} labels of "
            f"{one!r}"
        )
        mend = "Label them anew; what they are is not in the files."
    evidence = {
        "first": one,
        "second": other,
        "ids": [pair.first, pair.second],
        "crossed": pair.for_each_other,
        "pairs": pair.pairs,
        "by": "model",
        **_share(verdict),
    }
    nearly = pair.code == "classes_swapped" and pair.for_each_other >= NEARLY_ALL * pair.pairs
    text = f"{_where(verdict)}{what}. {mend}"
    return Finding(pair.code, "error" if nearly else "warning", None, text, evidence)


def _partial(verdict: Verdict) -> Iterator[Finding]:
    for entry in verdict.votes:
        images = files_of(verdict, entry.files)
        codes = entry.reading.codes if entry.reading is not None else (entry.code,)
        held = "as the rest" if entry.reading is not None else "as written"
        for code in codes:
            mended = entry.reading is not None or _part_classes(verdict, entry)
            mend = MEND if mended else "Label them anew; what they are is not in the files."
            text = (
                f"{_where(verdict)}in {len(images)} of {entry.could} files that could tell, {CODES[code]}, such as "
                f"{images[0].name}; read so they fit what the model sees, {held} they do not. {mend}"
            )
            evidence = {
                "by": "model",
                "share": len(images) / entry.could,
                "probability": entry.probability,
                "reading": str(entry.reading or ""),
                "k": entry.k,
                "split": verdict.material.split,
                **_files(images),
            }
            yield Finding(code, "warning", None, text, evidence)


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


def _cannot_tell(verdict: Verdict) -> Iterator[Finding]:
    model, edges, count = verdict.model, verdict.edges, len(verdict.material.looked)
    if verdict.geometry.by and not (model is not None and not model.capable):
        return
    evidence: dict[str, Any] = {"images": count, "split": verdict.material.split, "by": verdict.geometry.by}
    needed = None
    words = []
    if model is not None and model.capable:
        words.append(
            f"the model has no class for most of these labels; what it sees fits them best if they are read as "
            f"{model.reading}, but it may see other things"
        )
    elif model is not None:
        needed = model.above_chance.needed()
        evidence |= {"model_above_chance": model.above_chance.mean, "model_se": model.above_chance.se}
        words.append(
            f"labels fit what the model sees in {model.above_chance.images} images no better than chance has it, by "
            f"{model.above_chance.mean:+.2f} ± {model.above_chance.se:.2f}"
        )
    if edges is not None and not edges.capable:
        evidence |= {"edges": edges.on_edges.mean, "edge_se": edges.on_edges.se}
        words.append(f"boxes lie on edges by {edges.on_edges.mean:+.3f} ± {edges.on_edges.se:.3f}, and 0 is chance")
    elif edges is not None:
        words.append("the edges speak for the labels as they are read, but say nothing of classes")
    if not words:
        words.append(f"{count} image(s) with labels to look at are too few")
    if needed is None or count < FEWEST:
        needed = max(needed or 0, 16)
    evidence["images_needed"] = needed
    text = (
        f"{_where(verdict)}whether the labels are right cannot be told: {'; '.join(words)}. About {needed} images "
        "would do if model and labels are of one kind; a better model does with fewer."
    )
    yield Finding("cannot_tell", "warning", None, text, evidence)


def _share(verdict: Verdict) -> dict[str, Any]:
    """The part of the files that a finding about the whole split holds for."""
    others = sum(len(entry.files) for entry in verdict.votes)
    could = max((entry.could for entry in verdict.votes), default=1)
    return {"share": 1 - others / could, "split": verdict.material.split, "files_count": len(verdict.material.paths)}


def _files(images: Sequence[Path]) -> dict[str, Any]:
    return {"files": [str(path) for path in images[:NAMED]], "files_count": len(images)}


def _where(verdict: Verdict) -> str:
    return f"{verdict.material.split}: " if verdict.material.split else ""
