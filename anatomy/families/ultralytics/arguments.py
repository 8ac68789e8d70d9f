"""Arguments of ``predict()`` as a trace takes them: known ones, that it can follow, classes by id."""

import difflib
from collections.abc import Mapping

from ultralytics.utils import DEFAULT_CFG_DICT

from ...arguments import share, whole_number
from ...head.levels import select_classes

REFUSED = {
    "augment": "test-time augmentation mixes several passes, so no single cell makes a box",
    "embed": "it returns embeddings in place of detections",
    "visualize": "it replaces the forward pass",
    "compile": "a compiled network runs no hooks",
}
NOT_ASKED = {
    "stream": "anatomy.stream always goes image by image, anatomy.trace takes one",
    "source": "the source is the second argument",
    "predictor": "a trace reads the predictor of the model's own task",
    "model": "the model is the first argument",
    "mode": "a trace predicts",
    "task": "the task is the model's own",
}
RENAMED = {"half", "int8", "end2end", "boxes", "hide_labels", "hide_conf", "line_thickness"}  # Ultralytics translates
KNOWN = {*DEFAULT_CFG_DICT, *RENAMED, "save_dir"} - set(NOT_ASKED)


def check_predict_args(args: Mapping, names: Mapping[int, str]) -> dict:
    """The arguments with classes as ids and thresholds as floats.

    Raises TypeError for an argument that ``predict()`` does not know or a trace does not take, ValueError for what a
    trace cannot follow, for thresholds outside [0, 1], sizes below 1 px and unknown classes.
    """
    for name in args:
        if name in NOT_ASKED:
            raise TypeError(f"{name}= is no argument of a trace: {NOT_ASKED[name]}. Leave it out.")
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise TypeError(
                f"predict() has no argument {name!r}.{hint} The least confidence is conf, the overlap at which "
                "suppression acts iou, the size of the input imgsz."
            )
    for name, reason in REFUSED.items():
        if args.get(name):
            raise ValueError(f"{name}={args[name]!r} cannot be traced: {reason}. Leave it out, or use model.predict().")
    checked = dict(args)
    for name in ("conf", "iou"):
        if name in args:
            checked[name] = share(args[name], name)
    _check_size(args.get("imgsz"))
    if args.get("classes") is not None:
        checked["classes"] = list(select_classes(names, args["classes"]))
    return checked


def _check_size(imgsz) -> None:
    """Refuse what is no size in px; Ultralytics would make a whole number below 1 into 32."""
    for side in imgsz if isinstance(imgsz, list | tuple) else [imgsz]:
        if side is not None and whole_number(side, "imgsz, in px,") < 1:
            raise ValueError(f"imgsz must be a positive whole number of px, one or (height, width), but was {imgsz!r}.")
