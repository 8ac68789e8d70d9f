"""Arguments and options that several commands share."""

from typing import Annotated

import typer


def _pixels(text: str | int) -> int:
    if not str(text).isdecimal() or int(text) == 0:
        raise typer.BadParameter(f"a size is a whole number of px from 1, but {text!r} was given")
    return int(text)


Model = Annotated[
    str, typer.Argument(help="A .pt checkpoint, as Ultralytics or surgery.save wrote it.", metavar="MODEL")
]
Conf = Annotated[float, typer.Option(help="Least confidence of a detection, from 0 to 1.", metavar="P")]
Iou = Annotated[
    float,
    typer.Option(
        help="Overlap of two boxes (IoU, from 0 to 1) above which suppression keeps only the surer.", metavar="IOU"
    ),
]
Imgsz = Annotated[int, typer.Option(parser=_pixels, help="Longer side of the network's input, in px.", metavar="PX")]
Device = Annotated[
    str | None,
    typer.Option(help="Where to run: cpu, 0, ...", metavar="DEVICE", show_default="what Ultralytics chooses"),
]
Trusted = Annotated[
    bool, typer.Option("--trusted", metavar="", help="Open a checkpoint that may run any code (default: no).")
]
Quiet = Annotated[bool, typer.Option("--quiet", metavar="", help="No progress bar (default: a bar).")]
