"""Which part of the photograph made a detection: one entrance to all methods of attribution."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature

import torch

from anatomy import Trace

from .baselines import box_fill, centre_prior, edge_detector
from .cam import cam, eigencam
from .drise import drise
from .influence import influence
from .perturbation import ablation, integrated_gradients, kernel_shap, occlusion
from .result import Attribution, Heat
from .subject import Subject, subjects

DEFAULT = "influence"


@dataclass(frozen=True)
class Method:
    """``run`` takes subjects of one trace, and options, to one ``Heat`` each; ``words`` for titles."""

    run: Callable[..., list[Heat]]
    words: str


METHODS: dict[str, Method] = {
    "influence": Method(influence, "internal influence"),
    "gradcam": Method(partial(cam, method="gradcam"), "Grad-CAM"),
    "gradcam++": Method(partial(cam, method="gradcam++"), "Grad-CAM++"),
    "layercam": Method(partial(cam, method="layercam"), "LayerCAM"),
    "odam": Method(partial(cam, method="odam"), "ODAM"),
    "eigencam": Method(eigencam, "Eigen-CAM"),
    "integrated gradients": Method(integrated_gradients, "integrated gradients"),
    "occlusion": Method(occlusion, "occlusion"),
    "ablation": Method(ablation, "superpixel ablation"),
    "kernelshap": Method(kernel_shap, "KernelSHAP"),
    "drise": Method(drise, "D-RISE"),
}
BASELINES: dict[str, Method] = {
    "centre prior": Method(centre_prior, "centre prior"),
    "box fill": Method(box_fill, "box fill"),
    "edge detector": Method(edge_detector, "edge detector"),
}


def attribute(
    trace: Trace, detection=0, method: str = DEFAULT, *, what="logit", class_id=None, against=None, **options
) -> Attribution:
    """Say which part of the photograph made one number of a detection; returns an ``Attribution``.

    ``detection``, ``what``, ``class_id`` and ``against`` as ``subject`` takes them, or a ``Subject``. ``method``: a key
    of ``METHODS``, or of ``BASELINES`` to compare with. ``options`` go to the method: ``layer`` for class activation
    maps, see ``cam``; numbers of samples and seeds for the others, see ``perturbation`` and ``drise``. The network is
    left as it was. Raises IndexError, ValueError and UnsupportedModelError.
    """
    return attribute_all(trace, [detection], method, what=what, class_id=class_id, against=against, **options)[0]


def attribute_all(
    trace: Trace, detections=None, method: str = DEFAULT, *, what="logit", class_id=None, against=None, **options
) -> tuple[Attribution, ...]:
    """As ``attribute``, of several detections (None: all) at once, which costs less than one after the other."""
    known = METHODS | BASELINES
    if method not in known:
        raise ValueError(f"method must be one of {', '.join(known)}, but {method!r} was given.")
    if detections is not None and all(isinstance(one, Subject) for one in detections):
        chosen = tuple(detections)
        if any(one.trace is not trace for one in chosen):
            raise ValueError("A subject of another trace was given. Give the trace that it was made of, subject.trace.")
    else:
        chosen = subjects(trace, detections, what, class_id=class_id, against=against)
    if not chosen:
        return ()
    return explain(chosen, method, options)


def explain(chosen: Sequence[Subject], method: str, options: Mapping) -> tuple[Attribution, ...]:
    """Run a method on subjects of one trace, wherever gradients are switched off around it."""
    run = (METHODS | BASELINES)[method].run
    unknown = set(options) - set(signature(run).parameters)
    if unknown:
        takes = sorted(set(signature(run).parameters) - {"subjects", "method"}) or ["no options"]
        raise TypeError(f"The method {method!r} takes {', '.join(takes)}, but {', '.join(sorted(unknown))} was given.")
    start = time.perf_counter()
    with torch.inference_mode(False), torch.enable_grad():
        heats = run(chosen, **options)
    seconds = (time.perf_counter() - start) / len(chosen)
    return tuple(
        Attribution(one, method, heat, seconds, dict(options)) for one, heat in zip(chosen, heats, strict=True)
    )
