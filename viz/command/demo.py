"""``detector-workbench demo``: the level experiment."""

from pathlib import Path
from typing import Annotated

import typer

from .words import STATUSES, answered, epilog

EPILOG = epilog(
    "Examples:",
    ("demo", "demo photo.jpg --weights best.pt --out figures"),
    "Without --weights it takes yolov8n.pt where that is at hand or can be downloaded, and otherwise a small detector "
    "that comes with the project; it says which.",
    STATUSES,
)
DEFAULT = "two samples, or the embedded scene"


def demo(
    photographs: Annotated[
        list[Path] | None, typer.Argument(help="Photographs.", metavar="PHOTOGRAPHS", show_default=DEFAULT)
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="A .pt checkpoint.",
            metavar="FILE",
            show_default="yolov8n.pt, or the embedded detector",
        ),
    ] = None,
    images: Annotated[
        list[Path] | None, typer.Option(help="Photographs, named or not.", metavar="FILE", show_default=DEFAULT)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the figures.", metavar="FOLDER")] = Path("out/demo"),
    conf: Annotated[float, typer.Option(help="Least confidence of a detection, from 0 to 1.", metavar="P")] = 0.25,
) -> None:
    """See in a minute what this is about: which pyramid level made each detection, told in two ways that agree.

    Class rows of each level move by an amount of its own, so that a detection's new class names its level; then back.
    """
    with answered():
        from .level_experiment import chosen
        from .level_experiment.experiment import experiment

        detector, embedded = chosen.open_model(model)
        pictures = chosen.choose_pictures([str(path) for path in (*(images or ()), *(photographs or ()))], embedded)
        experiment(detector, pictures, chosen.choose_moves(detector), conf=conf, out=out)
