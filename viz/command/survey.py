"""``detector-workbench survey``: a whole data set, its verdict, its scores, its tables and its page."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Conf, Device, Imgsz, Iou, Model, Quiet, Trusted
from .words import STATUSES, answered, epilog

EPILOG = epilog(
    "Examples:",
    (
        "survey best.pt data.yaml",
        "survey best.pt data.yaml --split test --workers 4 --ablation",
        "survey better.pt data.yaml --out runs/better --compare runs/survey",
        "survey model=best.pt data=coco128.yaml imgsz=640 conf=0.25",
    ),
    "model, data, imgsz, conf, iou, split, batch and device may be written key=value, as in Ultralytics.",
    "Ctrl-C keeps what is finished: the same call goes on from there. Checkpoint and labels are never changed.",
    STATUSES,
)
Data = Annotated[
    str,
    typer.Argument(
        help="A data.yaml, as training takes it, COCO's JSON, or a folder of images.",
        metavar="DATA",
    ),
]


def survey(
    model: Model,
    data: Data,
    out: Annotated[str, typer.Option(help="Where tables and page go; made if it is missing.", metavar="FOLDER")] = (
        "runs/survey"
    ),
    conf: Conf = 0.25,
    iou: Iou = 0.7,
    imgsz: Imgsz = 640,
    match_iou: Annotated[
        float,
        typer.Option(help="Overlap (IoU, from 0 to 1) from which on a detection has found an object.", metavar="IOU"),
    ] = 0.5,
    split: Annotated[str, typer.Option(help="Which part of the data set: val, train or test.", metavar="NAME")] = "val",
    batch: Annotated[int, typer.Option(help="Images that run together.", metavar="N")] = 16,
    ablation: Annotated[
        bool,
        typer.Option(
            "--ablation", metavar="", help="Also measure what each level and class row is worth (default: no)."
        ),
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes that share the images; 0 runs in this one.", metavar="N")] = 0,
    engine: Annotated[
        str | None,
        typer.Option(help="ray spreads the work over a cluster.", metavar="ray", show_default="this machine alone"),
    ] = None,
    device: Device = None,
    compare: Annotated[
        str | None,
        typer.Option(
            help="The folder of an earlier survey, to tell what changed since (default: none).", metavar="FOLDER"
        ),
    ] = None,
    page: Annotated[bool, typer.Option(metavar="", help="Whether to write index.html, which needs no network.")] = True,
    trusted: Trusted = False,
    quiet: Quiet = False,
) -> None:
    """Run a detector over a whole data set and say what it finds, misses and confuses, on which level, and why.

    Every object and every detection becomes a row of a Parquet table; verdict, scores and page are made of these.
    """
    with answered(lambda: _kept(out)):
        import diagnosis
        import surgery

        detector = surgery.load(model, trusted=trusted)
        earlier = None if compare is None else diagnosis.Survey(compare)
        where: dict[str, Any] = {"device": device} if device else {}
        done = diagnosis.survey(
            detector,
            data,
            out,
            conf=conf,
            iou=iou,
            imgsz=imgsz,
            match_iou=match_iou,
            split=split,
            ablation=ablation,
            workers=workers,
            engine=engine,
            batch=batch,
            progress=not quiet,
            **where,
        )
        for line in _told(done, earlier):
            print(line, flush=True)  # scores take their time
        print(f"\nTables: {Path(out).resolve() / 'shards'}")
        if page:
            import viz

            place = Path(out) / "index.html"
            viz.survey_report(done, place)
            print(f"Page:   {place.resolve()}")


def _told(done: Any, earlier: Any) -> Iterator[str]:
    """The verdict, the scores, and what changed since an earlier survey."""
    from ..reports.survey.verdict import verdict

    yield from verdict(done)
    yield ""
    yield from _scores(done.scores()) if done.truth else ["The images have no labels, so there are no scores."]
    if earlier is not None:
        yield f"\nSince {earlier.path}:"
        yield str(earlier.compare(done))


def _scores(scores: Mapping[str, float | None]) -> Iterator[str]:
    """One line a score; ``-`` where there is nothing to score."""
    width = max(map(len, scores), default=0)
    for name, value in scores.items():
        known = value is not None and math.isfinite(value)
        yield f"{name:<{width}}  {f'{value:.4f}' if known else '-'}"


def _kept(out: str) -> list[str]:
    """What an interrupted survey leaves behind."""
    if not Path(out).is_dir():
        return []
    return [f"What is finished is kept in {str(Path(out).resolve())!r}: the same call goes on from there."]
