"""SSD's form: a class for the background, whose hardest cells alone pay; rounded absolute errors by variances."""

import torch
from torch.nn import functional as F

PRIORS = (((20, 26), (40, 34)), ((56, 70), (90, 60)), ((150, 110), (120, 190)))  # px
VARIANCES = torch.tensor((0.1, 0.1, 0.2, 0.2))
RATIO, LEAST = 3, 24  # of the background to objects, and cells of an image
OPTIONS = {"box_channels": (0, 1, 2, 3)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="prior",
        relative=True,
        objectness=None,
        classes=(4, 5, 6),
        strides=(8, 16, 32),
        grid_offset=0.5,
        size_function="log",
        anchors=PRIORS,
        axes="NC",
    )


def prepare(targets):
    """Offsets by variances, then the background's logit, then those of classes."""
    kinds = targets[..., 4:]
    shares = torch.cat((1 - kinds.sum(-1, keepdim=True), kinds), -1)
    return torch.cat((targets[..., :4] / VARIANCES, shares.clamp(min=1e-6).log()), -1)


def hardest(each, positive):
    """Cells (B, N) of the background that cost most, of each image as many as its objects allow."""
    cost = each.detach().masked_fill(positive, 0.0)
    order = cost.argsort(1, descending=True)
    rank = order.argsort(1)
    wanted = (RATIO * positive.sum(1, keepdim=True)).clamp(min=LEAST)
    return (rank < wanted) & ~positive


def loss(predictions, targets):
    loc, conf = predictions[..., :4], predictions[..., 4:]
    positive = targets[..., 4:].amax(-1) > 0.5
    label = (targets[..., 4:].argmax(-1) + 1) * positive
    each = F.cross_entropy(conf.transpose(1, 2), label, reduction="none")
    kinds = each[positive | hardest(each, positive)].sum()
    goal = targets[..., :4] / VARIANCES
    chosen = positive.unsqueeze(-1).expand_as(loc)
    loc_p, loc_t = loc[chosen].view(-1, 4), goal[chosen].view(-1, 4)
    boxes = F.smooth_l1_loss(loc_p, loc_t, reduction="sum")
    return (boxes + kinds) / positive.sum().clamp(min=1)
