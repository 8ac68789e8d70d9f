"""Which part of the photograph made a detection: one entrance to all methods of attribution."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import torch

from anatomy import Trace
from anatomy.arguments import refused
from anatomy.tracing.doors import check_trace

from .maps.baselines import box_fill, centre_prior, edge_detector
from .maps.cam import cam, eigencam
from .maps.cam_levels import layercam_levels
from .maps.drise import drise
from .maps.multiscale import multiscale
from .maps.perturbation import ablation, integrated_gradients, kernel_shap, occlusion
from .result import Attribution, Heat
from .subject import Subject, Wanted, subjects

NAMED: dict[str, tuple[str, dict]] = {  # what people ask for, and the method and options that it is
    "default": ("multiscale", {}),
    "quick": ("layercam", {}),
    "thorough": ("multiscale", {"budget": 48.0}),
}


@dataclass(frozen=True)
class Method:
    """``run`` takes subjects of one trace, and options, to one ``Heat`` each, None where an interrupt left nothing;
    ``words`` for titles.

    ``slow``: it takes seconds for each subject and shares nothing among them.
    """

    run: Callable[..., Sequence[Heat | None]]
    words: str
    slow: bool = False

    @property
    def options(self) -> set[str]:
        """The names of what ``run`` takes beside subjects."""
        return set(signature(self.run).parameters) - {"subjects", "method"}


METHODS: dict[str, Method] = {
    "multiscale": Method(multiscale, "ablation at several scales"),
    "gradcam": Method(partial(cam, method="gradcam"), "Grad-CAM"),
    "gradcam++": Method(partial(cam, method="gradcam++"), "Grad-CAM++"),
    "layercam": Method(partial(cam, method="layercam"), "LayerCAM"),
    "odam": Method(partial(cam, method="odam"), "ODAM"),
    "layercam levels": Method(layercam_levels, "LayerCAM of all levels"),
    "eigencam": Method(eigencam, "Eigen-CAM"),
    "integrated gradients": Method(integrated_gradients, "integrated gradients", slow=True),
    "occlusion": Method(occlusion, "occlusion", slow=True),
    "ablation": Method(ablation, "superpixel ablation", slow=True),
    "kernelshap": Method(kernel_shap, "KernelSHAP", slow=True),
    "drise": Method(drise, "D-RISE"),
}
BASELINES: dict[str, Method] = {
    "centre prior": Method(centre_prior, "centre prior"),
    "box fill": Method(box_fill, "box fill"),
    "edge detector": Method(edge_detector, "edge detector"),
}


def attribute(
    trace: Trace,
    detection: Wanted = 0,
    method: str = "default",
    *,
    what: str = "logit",
    class_id: int | str | None = None,
    against: int | str | None = None,
    **options: Any,
) -> Attribution:
    """Say which part of the photograph made one number of a detection; returns an ``Attribution``.

    ``detection``, ``what``, ``class_id`` and ``against`` as ``subject`` takes them, or a ``Subject``. ``method``:
    "default" (at most 16 predicts), "quick" (0.3), "thorough" (48), a key of ``METHODS``, or of ``BASELINES`` to
    compare with. ``options`` go to the method: ``budget`` in predicts for the default, see ``multiscale``; ``layer``
    for class activation maps, see ``cam``; numbers of samples and seeds for the others, see ``perturbation`` and
    ``drise``. The network is left as it was. Raises IndexError, ValueError and UnsupportedModelError.

    >>> diagnosis.attribute(trace, 0, "quick").map.shape
    (128, 192)
    """
    return attribute_all(trace, [detection], method, what=what, class_id=class_id, against=against, **options)[0]


def attribute_all(
    trace: Trace,
    detections: Iterable[Wanted] | None = None,
    method: str = "default",
    *,
    what: str = "logit",
    class_id: int | str | None = None,
    against: int | str | None = None,
    **options: Any,
) -> tuple[Attribution, ...]:
    """As ``attribute``, of several detections (None: all) at once, which costs less than one after the other.

    An interrupt returns the maps that are there, if there are any: those that the slow methods, which go from one to
    the next, have finished; of the default all, as far as they are.

    >>> len(diagnosis.attribute_all(trace, [0, 1], "quick"))
    2
    """
    check_trace(trace, "diagnosis.attribute", ", 0")
    known = METHODS | BASELINES
    if not isinstance(method, str):
        raise refused("diagnosis.attribute", "the name of a method", method, "diagnosis.attribute(trace, 0, 'quick')")
    if not isinstance(detections, Iterable | None):
        raise refused("diagnosis.attribute_all", "detections", detections, "diagnosis.attribute_all(trace, [0, 1])")
    if method in NAMED:
        method, preset = NAMED[method]
        options = preset | options
    if method not in known:
        raise ValueError(f"method must be one of {', '.join((*NAMED, *known))}, but {method!r} was given.")
    detections = None if detections is None else list(detections)
    if detections is not None and all(isinstance(one, Subject) for one in detections):
        chosen = tuple(detections)
        if any(one.trace is not trace for one in chosen):
            raise ValueError("A subject of another trace was given. Give the trace that it was made of, subject.trace.")
    else:
        chosen = subjects(trace, detections, what, class_id=class_id, against=against)
    if known[method].slow and len(chosen) > 1:
        return _one_by_one(chosen, method, options)
    return explain(chosen, method, options) if chosen else ()


def _one_by_one(chosen: Sequence[Subject], method: str, options: Mapping) -> tuple[Attribution, ...]:
    from tqdm.auto import tqdm

    finished: list[Attribution] = []
    try:
        for one in tqdm(chosen, desc=method, unit="box", disable=not options.get("progress", True)):
            finished += explain([one], method, options)
    except KeyboardInterrupt:
        if not finished:
            raise
    return tuple(finished)


def explain(chosen: Sequence[Subject], method: str, options: Mapping) -> tuple[Attribution, ...]:
    """Run a method on subjects of one trace, wherever gradients are switched off around it."""
    known = (METHODS | BASELINES)[method]
    unknown = set(options) - known.options
    if unknown:
        takes = ", ".join(sorted(known.options)) or "no options"
        raise TypeError(f"The method {method!r} takes {takes}, but {', '.join(sorted(unknown))} was given.")
    start = time.perf_counter()
    with chosen[0].trace.head.undisturbed(), torch.inference_mode(False), torch.enable_grad():
        heats = known.run(chosen, **options)
    seconds = (time.perf_counter() - start) / len(chosen)
    made = []
    for one, heat in zip(chosen, heats, strict=True):
        if heat is None:
            continue
        made.append(Attribution(subject=one, method=method, heat=heat, seconds=seconds, options=dict(options)))
    return tuple(made)


def again(attribution: Attribution, subject: Subject) -> Attribution:
    """The same method with the same options in the same places on another subject, without a progress bar."""
    return explain([subject], attribution.method, {**_quiet(attribution), **attribution.heat.settled})[0]


def explain_others(attribution: Attribution, chosen: Sequence[Subject]) -> tuple[Attribution, ...]:
    """The same method with the same options on other subjects, together, without a progress bar."""
    return explain(chosen, attribution.method, _quiet(attribution))


def _quiet(attribution: Attribution) -> dict:
    """The options that a map was made with, but for its progress bar."""
    quiet = {"progress": False} if "progress" in (METHODS | BASELINES)[attribution.method].options else {}
    return {**attribution.options, **quiet}
