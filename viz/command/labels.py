"""``detector-workbench labels``: the systematic faults of a labelled set, by name, and mended copies."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Conf, Device, Imgsz, Quiet, Trusted
from .words import FAULTY, VERDICTS, answered, epilog

EPILOG = epilog(
    "Examples:",
    (
        "labels data.yaml",
        "labels data.yaml --model best.pt --figures runs/labels",
        "labels data.yaml --model best.pt --fix mended",
        "labels data.yaml --fix mended --also corner_as_centre --also duplicates",
        "labels data=data.yaml model=best.pt split=train --json report.json",
    ),
    "data, model, split, imgsz, conf and device may be written key=value, as in Ultralytics.",
    "Labels are never changed where they are: --fix writes mended copies, links of the images, and a data.yaml.",
    VERDICTS,
)


def labels(
    data: Annotated[
        str,
        typer.Argument(
            help="A data.yaml, as training takes it, COCO's JSON, or a folder or list of images.", metavar="DATA"
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="A .pt checkpoint whose detections are held against the labels (default: edges of the images alone).",
            metavar="MODEL",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Which part of the data set: val, train or test.", metavar="NAME", show_default="all"),
    ] = None,
    images: Annotated[
        int,
        typer.Option(help="How many images of each part are looked at; 0: all. Files are all read.", metavar="N"),
    ] = 1000,
    conf: Conf = 0.25,
    imgsz: Imgsz = 640,
    device: Device = None,
    fix: Annotated[
        str | None, typer.Option(help="A new folder for mended copies (default: none are written).", metavar="FOLDER")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="With --fix, a warning that is mended too, or a kind of row that is dropped, such as duplicates "
            "(default: what errors call for alone).",
            metavar="CODE",
        ),
    ] = None,
    figures: Annotated[
        str | None,
        typer.Option(
            help="A folder for figures: labels as written and as they would be, and suspects (default: none, or, with "
            "--fix, beside the mended folder).",
            metavar="FOLDER",
        ),
    ] = None,
    json: Annotated[
        str | None,
        typer.Option(
            "--json", help="A file for the report as JSON; - prints it alone (default: none).", metavar="FILE"
        ),
    ] = None,
    trusted: Trusted = False,
    quiet: Quiet = False,
) -> None:
    """Name the systematic faults of a labelled set: boxes read wrongly, ids that mean other classes, files mispaired.

    It says what would be mended, in how many files, and with --fix writes mended copies: what errors call for, and the
    warnings that --also names.
    """
    with answered():
        import diagnosis

        _check_asked(fix, also, images)
        given = {"imgsz": imgsz, **({"device": device} if device else {})} if model else {}
        report = diagnosis.check_labels(
            data,
            _opened(model, trusted),
            split=split,
            images=images or None,
            conf=conf,
            progress=not quiet,
            **given,
        )
        say = partial(print, file=sys.stderr if json == "-" else sys.stdout, flush=True)
        if json is not None:
            _write_json(report.to_json(), json)
        for line in _told(report, also or ()):
            say(line)
        _check_mendable(report, also)
        for line in _drawn(report, figures, fix):
            say(line)
        if fix is not None:
            for line in _fixed(report, data, fix, tuple(also or ()), progress=not quiet):
                say(line)
    if report.errors:
        raise typer.Exit(FAULTY)


def _check_asked(fix: str | None, also: list[str] | None, images: int) -> None:
    """Refuse numbers and codes that are none, a folder for mended copies, and requests without one, before the work."""
    if images < 0:
        raise ValueError(f"--images is how many are looked at, or 0 for all, but {images} was given.")
    if also:
        from diagnosis.labels.fixing.choice import check_codes

        check_codes(also)
    if also and fix is None:
        raise ValueError("--also says what --fix mends beside errors: give --fix FOLDER with it.")
    if fix is not None:
        from diagnosis.labels.fixing.folder import open_place

        open_place(fix, ())


def _check_mendable(report: Any, also: list[str] | None) -> None:
    """Refuse codes that this report cannot mend, before anything is written."""
    if also:
        from diagnosis.labels.fixing.choice import chosen

        chosen(report, None, also)


def _opened(model: str | None, trusted: bool) -> Any:
    if model is None:
        return None
    import surgery

    return surgery.load(model, trusted=trusted)


def _write_json(text: str, place: str) -> None:
    if place == "-":
        print(text, flush=True)
    else:
        Path(place).write_text(text + "\n", encoding="utf-8")


def _told(report: Any, also: Sequence[str]) -> Iterator[str]:
    """The findings, the problems of the files counted by code, and what would be mended."""
    from diagnosis.labels.how_to_mend import for_command_line
    from diagnosis.labels.words import counted

    counts = ((report.images, "images"), (len(report.errors), "errors"), (len(report.warnings), "warnings"))
    yield f"{report.subject}: {', '.join(counted(*one) for one in counts)}"

    for finding in report.findings:
        message = for_command_line(finding.message, finding.evidence.get("also", ()))
        yield f"  {finding.severity}: {finding.code}: {message}"
    for mend in report.mends:
        yield from _would_mend(mend, also)
    for what, codes in (("problems of the files", report.problems["code"]), ("suspects", report.suspects["kind"])):
        counts = codes.value_counts(sort=True).iter_rows()
        if len(codes):
            yield f"  {what}: {', '.join(f'{count} {code}' for code, count in counts)}"


def _would_mend(mend: Any, also: Sequence[str]) -> Iterator[str]:
    """What a mend does by itself and because it is asked for, and what of it must yet be asked for."""
    from diagnosis.labels.words import counted

    where = f"{counted(len(mend.images), 'files')}{f' of {mend.split}' if mend.split else ''}"
    done = [*(mend.sure.all_codes if mend.sure.does else ()), *(code for code in mend.doubtful if code in also)]
    left = [code for code in mend.doubtful if code not in also]
    if done:
        yield f"  {'mends' if also else 'would mend'} {where}: {' + '.join(dict.fromkeys(done))}"
    if left:
        yield f"  would mend {where} if asked: {' '.join(f'--also {code}' for code in left)}"


def _drawn(report: Any, figures: str | None, fix: str | None) -> Iterator[str]:
    """Write the figures that there are: into a folder, and beside the mended one what would be mended."""
    if figures is not None:
        Path(figures).mkdir(parents=True, exist_ok=True)
        places = {"mends": Path(figures) / "labels.png", "suspects": Path(figures) / "suspects.png"}
    elif fix is not None:
        places = {"mends": Path(f"{Path(fix)}.png")}
    else:
        return
    there = {"mends": bool(report.mends), "suspects": bool(len(report.suspects))}
    import viz

    for what, place in places.items():
        if there[what]:
            viz.labels(report, what).savefig(place)
            yield f"Figure: {place.resolve()}"


def _fixed(report: Any, data: str, fix: str, also: tuple[str, ...], *, progress: bool) -> Iterator[str]:
    """Write the mended copies, and tell what was changed."""
    if not also and not any(mend.sure.does for mend in report.mends):
        asked = " but what must be asked for by --also" if report.mends else ""
        yield f"There is nothing to mend{asked}, so nothing was written."
        yield from _not_mended(report, also)
        return
    import diagnosis
    from diagnosis.labels.fixing.changes import told_changes

    made = diagnosis.fix_labels(report, data, fix, also=also, progress=progress)
    yield from told_changes(Path(fix))
    yield f"Mended: {made.resolve()}"
    yield from _not_mended(report, also)


def _not_mended(report: Any, also: tuple[str, ...]) -> Iterator[str]:
    """What is found and not mended: in how many files, and what mends it, if anything does."""
    from diagnosis.labels.fixing.choice import CUT, DROPS, DUPLICATES
    from diagnosis.labels.symptoms import explained_by

    done = {*also, *(code for mend in report.mends for code in mend.sure.all_codes)}
    files = Counter(dict.fromkeys(report.codes, 0))
    for mend in report.mends:
        files.update(dict.fromkeys(set(mend.doubtful) - set(also), len(mend.images)))
    explained = {code for cause in done for code in explained_by(cause)}
    for code, count in files.items():
        if count:
            yield f"not mended: {code}, {count} files; add --also {code}"
        elif code in done or code in explained or code == "cannot_tell":
            continue
        elif code == CUT or DUPLICATES.get(code, code) in DROPS:
            yield f"not mended: {code}; add --also {code} to {'cut the boxes' if code == CUT else 'drop the rows'}"
        elif code == "ids_rolled":
            yield f"not mended: {code}; ids are not moved between rows here: mend what wrote the files"
        else:
            yield f"not mended: {code}; it is not in the files what would be right"
