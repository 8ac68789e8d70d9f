"""The report from a shell: ``detector-report yolov8n.pt photos/ --out report``."""

import argparse
import sys
from pathlib import Path

import anatomy
import surgery

from .reports.report import report
from .reports.sheets import FORMATS, KINDS

EPILOG = """\
examples:
  detector-report yolov8n.pt photos/
  detector-report yolov8n.pt photo.jpg --formats png,pdf,svg --conf 0.1
  detector-report yolov8n.pt photos/ --out shifted --shift P4=1 --shift P5=5

Ctrl-C ends the report after the last image that was finished. Exit status: 0 done, 2 not possible as asked,
130 interrupted. The checkpoint itself is never changed.
"""


def main(argv: list[str] | None = None) -> int:
    """Write a report; returns the exit status: 0, 2 where it cannot be done as asked, 130 when interrupted."""
    options = _parser().parse_args(argv)
    try:
        model = surgery.load(options.weights, trusted=options.trusted)
        if options.recipe:
            surgery.apply(model, surgery.read_recipe(options.recipe))
        for level, k in options.shift:
            surgery.shift_classes(model, level, k)
        place = _write(model, options)
    except KeyboardInterrupt as error:
        return _complain(error, "interrupted", 130)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        return _complain(error, str(error), 2)
    print(f"Report: {place / 'index.html'}")
    return 0


def _write(model: object, options: argparse.Namespace) -> Path:
    predict_args = {"conf": options.conf, "iou": options.iou, "imgsz": options.imgsz}
    if options.device:
        predict_args["device"] = options.device
    return report(
        anatomy.stream(model, options.source, **predict_args),
        options.out,
        options.formats,
        model=model,
        figures=options.figures,
        best=options.best,
        about={"weights": options.weights, "source": options.source, "iou": options.iou, "imgsz": options.imgsz},
        overwrite=options.overwrite,
        progress=not options.quiet,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="detector-report",
        description="Write a folder that tells which pyramid level, and which cell of it, made every detection:\n"
        "index.html, figures of every level, tables as CSV and Parquet, and the edits of the model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("weights", help="a .pt checkpoint, as Ultralytics or surgery.save wrote it")
    parser.add_argument("source", help="an image, a folder, a glob in quotes, or a video")
    parser.add_argument("--out", default="report", metavar="FOLDER", help="where to write (default: report)")
    parser.add_argument("--conf", type=float, default=0.25, help="confidence threshold (default: 0.25)")
    parser.add_argument("--iou", type=float, default=0.7, help="overlap at which suppression acts (default: 0.7)")
    parser.add_argument("--imgsz", type=_pixels, default=640, metavar="PX", help="size of the input (default: 640)")
    parser.add_argument("--device", help="where to run: cpu, 0, ... (default: what Ultralytics chooses)")
    parser.add_argument("--formats", type=_words, default=("png", "pdf"), metavar="A,B", help=_of(FORMATS, "png,pdf"))
    parser.add_argument(
        "--figures", type=_words, default=KINDS[:4], metavar="A,B", help=_of(KINDS, "all but features and attribution")
    )
    parser.add_argument(
        "--best", type=int, default=3, metavar="N", help="distributions, and maps, an image (default: 3)"
    )
    parser.add_argument(
        "--shift",
        type=_shift,
        action="append",
        default=[],
        metavar="LEVEL=K",
        help="move the class rows of a level by K classes first; may be given several times",
    )
    parser.add_argument("--recipe", metavar="JSON", help="edits to apply first, as surgery.write_recipe wrote them")
    parser.add_argument("--overwrite", action="store_true", help="replace a report that is there already")
    parser.add_argument("--trusted", action="store_true", help="open a checkpoint that may run any code")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _of(known: tuple[str, ...], default: str) -> str:
    return f"of {', '.join(known)} (default: {default})"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _pixels(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"a size is a whole number of px from 1, but {text!r} was given")
    return int(text)


def _shift(text: str) -> tuple[str | int, int]:
    level, _, k = text.partition("=")
    try:
        return int(level) if level.strip().isdigit() else level, int(k)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a shift is LEVEL=K, as in P4=1, but {text!r} was given") from None


def _complain(error: BaseException, why: str, status: int) -> int:
    """Say why on one line, and what was kept on another."""
    for line in (why, *getattr(error, "__notes__", ())):
        print(f"detector-report: {' '.join(line.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
