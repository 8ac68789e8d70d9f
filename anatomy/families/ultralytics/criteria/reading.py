"""The notes of a criterion read: the object of every cell, and what each cell pays for every item."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ....head.batch_targets import BatchTargets, numbers
from ....head.pyramid import Pyramid
from .boxes import angle_shares, box_shares
from .keypoints import likelihood_shares, place_shares, seen_shares
from .masks import mask_shares
from .notes import Note
from .objects import large_enough, objects_of, original_numbers

GAINS = {"l1": "dfl", "seg": "box"}  # items whose gain goes by another name


@torch.inference_mode(False)
@torch.enable_grad()
def read_note(note: Note) -> BatchTargets:
    """The targets and losses of one branch of one batch; it waits for the device."""
    note = note.differentiable()
    strides = note.criterion.stride.tolist()
    pyramid = Pyramid.of(note.grids, strides)
    positive = note.assigned.answer[3]
    shape = (round(note.grids[0][0] * strides[0]), round(note.grids[0][1] * strides[0]))
    boxes, labels = objects_of(note.batch, shape, len(positive), sides=note.assigned.args[4].shape[-1])
    items = {name.removesuffix("_loss"): value for name, value in numbers(note.items).items()}
    with note.casting.again():
        shares = cell_shares(note, items)
    return BatchTargets(
        branch=note.branch,
        weight=note.weight,
        reported=note.reported,
        pyramid=pyramid,
        object=owners(note, boxes),
        score=note.assigned.answer[2].sum(2).float(),
        losses={name: shares[name] for name in items if name in shares},
        unplaced={name: value for name, value in items.items() if name not in shares},
        items=items,
        boxes=boxes,
        labels=labels,
    )


def owners(note: Note, boxes: tuple[Tensor, ...]) -> Tensor:
    """The object of each cell (B, A), -1 for background, counted among all objects of its image."""
    positive, chosen = note.assigned.answer[3:5]
    owner = torch.where(positive.bool(), chosen.long(), -1)
    rotated = note.assigned.args[4].shape[-1] == 5
    return original_numbers(owner, large_enough(boxes)) if rotated else owner


def cell_shares(note: Note, items: Iterable[str]) -> dict[str, Tensor]:
    """What each cell pays of these items, (B, A) each, gains included; items that belong to no cell are not there."""
    gains, wanted = note.criterion.hyp, set(items)
    image, anchor = note.positive
    paid = {name: share for name, share in positive_shares(note).items() if name in wanted}
    cells = torch.zeros((len(paid), *note.assigned.answer[3].shape), device=anchor.device)
    if len(anchor):
        scaled = [(share * getattr(gains, GAINS.get(name, name))).float() for name, share in paid.items()]
        cells[:, image, anchor] = torch.stack(scaled)
    shares = dict(zip(paid, cells, strict=True))
    if note.entropy is not None:
        shares["cls"] = (note.entropy / note.mass * gains.cls).float()
    return shares


def positive_shares(note: Note) -> dict[str, Tensor]:
    """What the m positive cells pay without gains, (m,) by item; an item whose part was not asked costs nothing."""
    _, anchor = note.positive
    none = torch.zeros(len(anchor), device=anchor.device)
    last = "dfl" if note.criterion.use_dfl else "l1"
    shares: dict[str, Tensor] = dict.fromkeys(("box", last, "seg", "pose", "kobj", "rle", "angle"), none)
    if not len(anchor):
        return shares
    if call := note.only("bbox_loss"):
        shares["box"], shares[last] = box_shares(note, call)
    if calls := note.calls.get("single_mask_loss"):
        shares["seg"] = mask_shares(calls, len(anchor), none)
    if call := note.only("keypoint_loss"):
        shares["pose"] = place_shares(call)
    if call := note.only("bce_pose"):
        shares["kobj"] = seen_shares(call)
    if (call := note.only("rle_loss")) and (asked := note.only("calculate_rle_loss")):
        shares["rle"] = likelihood_shares(call, asked)
    if call := note.only("calculate_angle_loss"):
        shares["angle"] = angle_shares(call)
    return shares
