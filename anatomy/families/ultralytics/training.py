"""What an Ultralytics criterion makes of one pass: its assigner and its losses listened to, cell by cell."""

from typing import Any

import torch
from torch import Tensor

from ...head.forward import Pass, Targets


@torch.inference_mode(False)
@torch.enable_grad()
def read_criterion(criterion: Any, pass_: Pass, boxes: Tensor, labels: Tensor) -> Targets:
    """Run a detection criterion on a pass; ``boxes`` (n, 4) xyxy px of the network input, ``labels`` (n,).

    The criterion is used up: it must have been made for this call.
    """
    assigner, box_loss, noted = criterion.assigner, criterion.bbox_loss, {}

    def assign(*args):
        noted["asked"], noted["answer"] = args, assigner(*args)
        return noted["answer"]

    def measure(*args):
        noted["boxes"] = args
        return box_loss(*args)

    criterion.assigner, criterion.bbox_loss = assign, measure
    logits = torch.cat([level.flatten(1) for level in pass_.logits], 1)[None].float()
    raw = {"boxes": pass_.box_logits[None].float().clone(), "scores": logits, "feats": list(pass_.features)}
    criterion.get_assigned_targets_and_loss(raw, _batch(pass_, boxes, labels))
    owner, score = noted["answer"][4][0].long(), noted["answer"][2][0].detach()
    return Targets(
        object=torch.where(noted["answer"][3][0], owner, -1),
        score=score.sum(1),
        **_choice(assigner, noted["asked"], len(boxes)),
        losses=_losses(criterion, box_loss, noted["boxes"], logits[0], score),
        settings={name: getattr(assigner, name) for name in ("topk", "topk2", "alpha", "beta")}
        | {"least_side": assigner.stride_val},
    )


def _batch(pass_: Pass, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The objects as a data loader hands them over: normalized centre and size."""
    height, width = pass_.input_shape
    size = boxes.new_tensor((width, height, width, height))
    centre, side = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return {
        "batch_idx": boxes.new_zeros(len(boxes)),
        "cls": labels.to(boxes),
        "bboxes": torch.cat((centre, side), 1) / size,
    }


def _choice(assigner, asked, count: int) -> dict[str, Tensor]:
    """The steps of the assigner that its answer no longer shows, each (n, A)."""
    scores, _, points, labels, boxes, mask = asked
    if not count:
        none = scores.new_zeros((0, len(points)))
        return {"inside": none.bool(), "alignment": none, "overlap": none, "picked": none.bool()}
    with torch.no_grad():
        inside = assigner.select_candidates_in_gts(points, boxes, mask)[0]
        picked, alignment, overlap = assigner.get_pos_mask(scores, asked[1], labels, boxes, points, mask)
    return {"inside": inside, "alignment": alignment[0], "overlap": overlap[0], "picked": picked[0].bool()}


def _losses(criterion, box_loss, args, logits: Tensor, score: Tensor) -> dict[str, Tensor]:
    """Box, class and distribution loss of every anchor, with gains.

    Both box losses are linear in the target scores, so score times gradient is the share of a cell.
    """
    weight = score[None].clone().requires_grad_()
    items = box_loss(*args[:4], weight, *args[5:])
    box, dfl = ((weight * torch.autograd.grad(item, weight, retain_graph=True)[0]).sum(2)[0] for item in items)
    entropy = criterion.bce(logits.T, score)
    if criterion.class_weights is not None:
        entropy = entropy * criterion.class_weights[0]
    gains = criterion.hyp
    last = "dfl" if criterion.use_dfl else "l1"
    shares = {"box": box * gains.box, "cls": entropy.sum(1) / args[5] * gains.cls, last: dfl * gains.dfl}
    return {name: share.detach() for name, share in shares.items()}
