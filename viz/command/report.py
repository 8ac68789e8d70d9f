"""``detector-workbench report``: a folder of figures, tables and one page about images."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..reports.kinds import FORMATS, KINDS
from .options import Conf, Device, Imgsz, Iou, Model, Quiet, Trusted
from .words import STATUSES, answered, epilog

EPILOG = epilog(
    "Examples:",
    (
        "report yolov8n.pt photos/",
        "report yolov8n.pt photo.jpg --formats png,pdf,svg --conf 0.1",
        "report yolov8n.pt photos/ --out shifted --shift P4=1 --shift P5=5",
        "report model=yolov8n.pt source=photos/ imgsz=640",
    ),
    "model, source, imgsz, conf, iou and device may be written key=value, as in Ultralytics.",
    "Ctrl-C ends the report after the last image that was finished. The checkpoint itself is never changed.",
    STATUSES,
)
Source = Annotated[str, typer.Argument(help="An image, a folder, a glob in quotes, or a video.", metavar="SOURCE")]


def _shifts(given: list[str] | None) -> list[tuple[str | int, int]]:
    return [_shift(text) for text in given or ()]


def _shift(text: str) -> tuple[str | int, int]:
    level, _, k = text.partition("=")
    try:
        return int(level) if level.strip().isdigit() else level, int(k)
    except ValueError:
        raise typer.BadParameter(f"a shift is LEVEL=K, as in P4=1, but {text!r} was given") from None


def report(
    model: Model,
    source: Source,
    out: Annotated[str, typer.Option(help="Where to write.", metavar="FOLDER")] = "report",
    conf: Conf = 0.25,
    iou: Iou = 0.7,
    imgsz: Imgsz = 640,
    device: Device = None,
    formats: Annotated[str, typer.Option(help=f"Of {', '.join(FORMATS)}.", metavar="A,B")] = "png,pdf",
    figures: Annotated[str, typer.Option(help=f"Of {', '.join(KINDS)}.", metavar="A,B")] = ",".join(KINDS[:4]),
    best: Annotated[int, typer.Option(help="How many distributions, and maps, are drawn an image.", metavar="N")] = 3,
    shift: Annotated[
        list[str] | None,
        typer.Option(
            callback=_shifts,
            help="Move the class rows of a level by K classes first; may be given several times (default: no shift).",
            metavar="LEVEL=K",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Edits to apply first, as surgery.write_recipe wrote them (default: none).", metavar="JSON"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", metavar="", help="Replace a report that is there already (default: refuse).")
    ] = False,
    trusted: Trusted = False,
    quiet: Quiet = False,
) -> None:
    """Write a folder that tells which pyramid level, and which cell of it, made every detection.

    It holds index.html, figures of every level, tables as CSV and Parquet, and the edits of the model.
    """
    with answered():
        import anatomy
        import surgery

        from ..reports.report import report as write

        detector = surgery.load(model, trusted=trusted)
        if recipe:
            surgery.apply(detector, surgery.read_recipe(recipe))
        for level, k in shift or ():
            surgery.shift_classes(detector, level, int(k))
        predict_args: dict[str, Any] = {"conf": conf, "iou": iou, "imgsz": imgsz}
        if device:
            predict_args["device"] = device
        place = write(
            anatomy.stream(detector, source, **predict_args),
            out,
            _listed(formats),
            model=detector,
            figures=_listed(figures),
            best=best,
            about={"weights": model, "source": source, "iou": iou, "imgsz": imgsz},
            overwrite=overwrite,
            progress=not quiet,
        )
        print(f"Report: {Path(place) / 'index.html'}")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
