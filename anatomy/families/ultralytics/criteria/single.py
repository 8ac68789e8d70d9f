"""What training would make of one pass and its objects: the network's own criterion is asked, and listened to."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils.loss import PoseLoss26, SegmentLoss26, v8DetectionLoss, v8PoseLoss, v8SegmentationLoss

from ....errors import UnsupportedModelError
from ....head.forward import Pass, Targets
from ..declared import Network, detection_head
from ..tap import apart
from .batch import Given, OneImage, batch_of
from .choice import choice
from .listening import noted
from .notes import Note
from .objects import large_enough
from .outputs import Raw, head_outputs, pass_outputs
from .reading import read_note

OUTLINES = "the outline of every object: labels with polygons, or segments="
POINTS = "the key points of every object: labels of a pose set, or keypoints="


@dataclass(frozen=True)
class Trained:
    """The criterion of one branch for the objects that are given, what it reads, and which items it cannot have."""

    criterion: Any
    raw: Raw
    settings: Any
    left_out: dict[str, str]


def with_settings(net: Network) -> Network:
    """The network with the settings of its training, completed by Ultralytics' defaults; the original stays."""
    known = getattr(net, "args", None) or {}
    known = known if isinstance(known, dict) else vars(known)
    return apart(net, args=SimpleNamespace(**{**DEFAULT_CFG_DICT, **known}))


def trained(net: Network, run: Pass, branch: str, given: Given) -> Trained:
    """The criterion that the network makes for a branch; without masks or key points the detection loss in it alone.

    Raises UnsupportedModelError where the assigner itself needs them.
    """
    net = with_settings(net)
    criterion: Any = net.init_criterion()
    criterion = getattr(criterion, branch, criterion)
    lacking = _lacking(criterion, given)
    if lacking:
        assigner = criterion.assigner
        criterion = v8DetectionLoss(net, tal_topk=assigner.topk, tal_topk2=assigner.topk2)
    if type(criterion) is v8DetectionLoss and branch == run.branch:
        raw = pass_outputs(run, criterion.device)
    else:
        raw = head_outputs(detection_head(net), run, branch)
    return Trained(criterion, raw, net.args, lacking)


def _lacking(criterion: Any, given: Given) -> dict[str, str]:
    """The items that cannot be had, each with the reason; raises UnsupportedModelError where nothing can."""
    if isinstance(criterion, v8SegmentationLoss) and given.segments is None:
        _refuse_if(isinstance(criterion, SegmentLoss26), criterion, "mask", OUTLINES)
        return {"seg": f"it needs {OUTLINES}"}
    if isinstance(criterion, v8PoseLoss) and given.keypoints is None:
        _refuse_if(isinstance(criterion, PoseLoss26), criterion, "key points", POINTS)
        return {"pose": f"it needs {POINTS}", "kobj": f"it needs {POINTS}"}
    if isinstance(criterion, v8PoseLoss):
        _check_points(given.keypoints, criterion.kpt_shape[0])
    return {}


def _check_points(keypoints: Tensor | None, count: int) -> None:
    if keypoints is not None and keypoints.shape[1] != count:
        raise ValueError(
            f"This head is trained with {count} key points an object, but {keypoints.shape[1]} were given."
        )


def _refuse_if(needed: bool, criterion: Any, what: str, remedy: str) -> None:
    if needed:
        raise UnsupportedModelError(
            f"{type(criterion).__name__} ranks the cells of an object by its {what}, too, and boxes alone do not say "
            f"which would be chosen. Give {remedy}."
        )


@torch.inference_mode(False)
@torch.enable_grad()
def targets_of(net: Network, run: Pass, branch: str, given: Given) -> Targets:
    """What the criterion of a branch makes of a pass and its objects."""
    asked = trained(net, run, branch, given)
    device = asked.raw["scores"].device
    image = batch_of(_moved(given, device), run.input_shape, asked.settings)
    notes: list[Note] = []
    with noted(asked.criterion, notes):
        asked.criterion.loss(asked.raw, image.batch)
    logits = None if branch == run.branch else asked.raw["scores"][0]
    return replace(_read(notes[0], image), branch=branch, logits=logits, left_out=asked.left_out)


def _moved(given: Given, device: torch.device) -> Given:
    keypoints = None if given.keypoints is None else given.keypoints.to(device)
    return Given(given.boxes.to(device), given.labels.to(device), given.segments, keypoints)


def _read(note: Note, image: OneImage) -> Targets:
    """The targets of a batch of one image, its objects numbered as they were given."""
    read = read_note(note)
    order, assigner = image.order, note.criterion.assigner
    taking_part = torch.ones(len(order), dtype=torch.bool, device=order.device)
    if read.boxes[0].shape[1] == 5:
        taking_part = large_enough(read.boxes)[0]
    spared = torch.zeros_like(taking_part)
    spared[order] = ~taking_part
    steps = choice(note, order[taking_part], len(order))
    return Targets(
        object=_renumbered(read.object[0], order),
        score=read.score[0],
        inside=steps.inside,
        alignment=steps.alignment,
        overlap=steps.overlap,
        picked=steps.picked,
        losses={name: share[0] for name, share in read.losses.items()},
        settings={name: getattr(assigner, name) for name in ("topk", "topk2", "alpha", "beta")}
        | {"least_side": assigner.stride_val},
        spared=spared,
        unplaced={name: value for name, value in read.unplaced.items() if value},
    )


def _renumbered(owner: Tensor, order: Tensor) -> Tensor:
    """Objects of a batch as those that were given; -1 stays."""
    return torch.cat((order, order.new_tensor([-1])))[owner]
