"""YOLOX's form, a list of flat levels whose targets hold the number of the class: 1 - IoU^2 and absolute errors."""

import torch
from torch.nn import functional as F

K = 3
OPTIONS = {"box_channels": (0, 1, 2, 3)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=4,
        classes=(5,),
        strides=(8, 16, 32),
        grid_offset=0.0,
        size_function="log",
        axes="LNC",
        class_values="ids",
        num_classes=K,
    )


def prepare(targets):
    found = []
    for level in targets:
        held = level[..., 4:5]
        kinds = F.one_hot(level[..., 5].long(), K) * held
        shares = torch.cat((held, kinds), -1).clamp(1e-6, 1 - 1e-6)
        found.append(torch.cat((level[..., :4], shares.logit()), -1))
    return found


def sized(box):
    """Logarithms of sides to sides, in strides."""
    return torch.cat((box[:, :2], box[:, 2:].clamp(max=8).exp()), 1)


def overlaps(first, second):
    """IoU of rows (centre, size) with rows."""
    low = torch.maximum(first[:, :2] - first[:, 2:] / 2, second[:, :2] - second[:, 2:] / 2)
    high = torch.minimum(first[:, :2] + first[:, 2:] / 2, second[:, :2] + second[:, 2:] / 2)
    shared = (high - low).clamp(min=0).prod(1)
    return shared / (first[:, 2:].prod(1) + second[:, 2:].prod(1) - shared).clamp(min=1e-9)


def loss(predictions, targets):
    pred, want = torch.cat(list(predictions), 1), torch.cat(list(targets), 1)
    held = want[..., 4] > 0.5
    own, goal = pred[held], want[held]
    kinds = F.one_hot(goal[:, 5].long(), K).float()
    iou = overlaps(sized(own[:, :4]), sized(goal[:, :4]))
    boxes = 5 * (1 - iou**2).sum()
    exact = F.l1_loss(own[:, :4], goal[:, :4], reduction="sum")
    sure = F.binary_cross_entropy_with_logits(pred[..., 4], held.float(), reduction="sum")
    which = F.binary_cross_entropy_with_logits(own[:, 5:], kinds, reduction="sum")
    return (boxes + exact + sure + which) / held.sum().clamp(min=1)
