"""A whole data set through a detector, shard by shard; what is finished is never done again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from anatomy.errors import UnsupportedModelError
from anatomy.families.registry import describe
from anatomy.head.head import Head

from ...objects.reading import LabelledSet, read_labels
from ...parts import clear_drafts
from ..folder import FORMAT, SHARDS, clear_damaged, missing, open_folder
from ..looking.task import Task
from ..result import Survey
from ..settings import MAX_DET, Settings
from .engines import engine_of
from .plan import Plan, planned, weights_digest
from .shard import Shard


def survey(
    model: Any,
    data: Any,
    out: str | Path,
    *,
    conf: float = 0.25,
    iou: float = 0.7,
    imgsz: int = 640,
    match_iou: float = 0.5,
    split: str = "val",
    ablation: bool = False,
    frames: str | None = None,
    batch: int = 16,
    shard: int = 64,
    max_det: int = MAX_DET,
    workers: int = 0,
    engine: str | None = None,
    progress: bool = True,
    **predict_args: Any,
) -> Survey:
    """Look at a whole data set: every object, found or missed and why, and every detection, right or wrong, by level.

    ``model``: whatever ``trace`` takes. ``data``: what ``read_labels`` takes (a data YAML, COCO JSON, a folder, a
    list), or a ``LabelledSet``; without labels there is no truth, and detections alone are told. ``out``: the folder
    for the tables. The same call goes on where an earlier one was broken off, and reads what is finished.

    Objects are found at ``conf`` and ``iou``, as ``predict()`` takes them, from ``match_iou`` on; scores are computed
    at a confidence of 0.001, as ``val()`` does. Images of size ``imgsz`` px lie in the input as ``val()`` puts them
    (``frames="val"``: in batches, so that scores are those of ``val()``), or as ``predict()`` does ("predict": one by
    one, so that cells are those of ``trace``); by default the former where there are labels. ``ablation``: worth of
    every level and class row as well. ``max_det`` boxes an image at most are kept, as in both. ``workers``: processes
    on this machine, each with the model (in a script, below ``if __name__ == "__main__":``); ``engine="ray"``: a Ray
    cluster in their place. ``predict_args`` go to every pass (``device=0``).

    Raises FileExistsError where ``out`` holds a survey of something else, ValueError for bad settings, an empty set or
    a class that the model does not have, UnsupportedModelError for rotated boxes.

    >>> len(diagnosis.survey(model, photo, folder / "survey", imgsz=192, progress=False))
    1
    """
    head = describe(model)
    if predict_args.get("agnostic_nms"):
        raise ValueError("agnostic_nms cannot be surveyed: scores and worth are computed class by class. Leave it out.")
    if max_det != MAX_DET:
        predict_args["max_det"] = max_det
    if head.rotated:
        raise UnsupportedModelError("A survey compares upright boxes, but this head makes rotated ones.")
    labels = data if isinstance(data, LabelledSet) else read_labels(data, split=split)
    if not len(labels):
        raise ValueError("The set has no images, so there is nothing to survey. Is the split right?")
    settings = Settings(
        conf=conf,
        iou=iou,
        imgsz=imgsz,
        match_iou=match_iou,
        split=split,
        batch=batch,
        shard=shard,
        frames=frames or ("val" if labels.truth else "predict"),
        max_det=max_det,
        ablation=ablation,
    ).checked()
    run = engine_of(engine, workers)
    head.predict_args({"conf": settings.conf, "iou": settings.iou, "imgsz": settings.imgsz, **predict_args})
    plan = planned(head, labels, settings, progress)
    place = Path(out)
    open_folder(place, asked(head, plan, labels, predict_args))
    todo = missing(place, len(plan.shards))
    clear_damaged(place, todo)
    jobs = [Shard(number=number, batches=plan.shards[number]) for number in todo]
    task = Task(labels=labels, class_map=plan.class_map, settings=plan.settings, predict_args=predict_args)
    done = len(plan.images) - sum(job.images for job in jobs)
    with tqdm(total=len(plan.images), initial=done, desc="survey", unit="image", disable=not progress) as bar:
        try:
            run(head, task, jobs, place, bar.update)
        except BaseException as error:
            left = len(missing(place, len(plan.shards)))
            error.add_note(
                f"{len(plan.shards) - left} of {len(plan.shards)} shards are finished and kept in {str(place)!r}; "
                "the same call goes on from there."
            )
            raise
    clear_drafts(place / SHARDS)
    return Survey(place)


def asked(head: Head, plan: Plan, labels: LabelledSet, predict_args: Mapping[str, Any]) -> dict[str, Any]:
    """What tells this survey from any other, and what its reader needs to know."""
    levels = [{"index": level.index, "name": level.name, "stride": level.stride} for level in head.levels]
    return {
        "format": FORMAT,
        "weights": weights_digest(head),
        "data": plan.data_digest,
        "settings": plan.settings.told(),
        "predict_args": {name: repr(value) for name, value in sorted(predict_args.items())},
        "names": {str(index): name for index, name in head.names.items()},
        "levels": levels,
        "truth": labels.truth,
        "images": len(plan.images),
        "shards": len(plan.shards),
    }
