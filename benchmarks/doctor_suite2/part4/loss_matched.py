"""DETR's form: one tensor of shares of the image, absolute errors and GIoU, a class for no object, weights by name."""

import torch
from torch.nn import functional as F
from torchvision.ops import box_convert, generalized_box_iou_loss

K = 5
EOS_COEF = 0.1
WEIGHTS = {"loss_ce": 1.0, "loss_bbox": 5.0, "loss_giou": 2.0}
OPTIONS = {"box_channels": (0, 1, 2, 3)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="normalized",
        objectness=None,
        classes=(4, 5, 6, 7, 8),
        strides=(16, 32),
        grid_offset=0.5,
        axes="NC",
    )


def prepare(targets):
    kinds = targets[..., 4:]
    none = 1 - kinds.sum(-1, keepdim=True)
    return torch.cat((targets[..., :4], torch.cat((kinds, none), -1).clamp(min=1e-9).log()), -1)


class SetCriterion:
    def __init__(self, empty_weight):
        self.empty_weight = empty_weight

    def indices(self, targets):
        """Image and query of every object, in the batch laid out flat."""
        return (targets[..., 4:].amax(-1) > 0.5).nonzero(as_tuple=True)

    def loss_labels(self, logits, targets, batch, query):
        wanted = torch.full(targets.shape[:2], K)
        wanted[batch, query] = targets[batch, query, 4:].argmax(-1)
        ce = F.cross_entropy(logits.transpose(1, 2), wanted, self.empty_weight, reduction="sum")
        return {"loss_ce": ce}

    def loss_boxes(self, boxes, targets, batch, query):
        flat = boxes.flatten(0, 1)
        found = flat[batch * boxes.shape[1] + query]
        wanted = targets[batch, query, :4]
        losses = {"loss_bbox": F.l1_loss(found, wanted, reduction="sum")}
        solid = wanted[:, 2:].amin(1) > 1e-4
        found = torch.cat((found[:, :2], found[:, 2:].clamp(min=1e-4)), 1)
        corners = [box_convert(side[solid], "cxcywh", "xyxy") for side in (found, wanted)]
        losses["loss_giou"] = generalized_box_iou_loss(*corners, reduction="sum")
        return losses

    def __call__(self, predictions, targets):
        batch, query = self.indices(targets)
        losses = self.loss_labels(predictions[..., 4:], targets, batch, query)
        losses |= self.loss_boxes(predictions[..., :4], targets, batch, query)
        return sum(losses[name] * WEIGHTS[name] for name in losses if name in WEIGHTS) / max(len(batch), 1)


loss = SetCriterion(torch.tensor([1.0] * K + [EOS_COEF]))
