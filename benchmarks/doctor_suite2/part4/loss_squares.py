"""YOLOv1's form on one level: squares of everything, without a sigmoid anywhere; rows are picked by masks."""

import torch
from torch import nn

K = 3
N = 5 + K
RUNNING = {"total": 0.0}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=4,
        classes=(5, 6, 7),
        strides=(16,),
        grid_offset=0.0,
        size_unit="normalized",
        size_function="sqrt",
    )


class Loss(nn.Module):
    def __init__(self, l_coord=5.0, l_noobj=0.5):
        super().__init__()
        self.l_coord, self.l_noobj = l_coord, l_noobj

    def coordinates(self, box_pred, box_target):
        return (box_pred - box_target).square().sum()

    def rows(self, level):
        """(cells of the batch, N)."""
        return level.permute(0, 2, 3, 1).reshape(-1, N)

    def masks(self, pred, target):
        return target[:, 4] > 0, target[:, 4] == 0

    def contain_loss(self, pred, target):
        return (pred[:, 4] - target[:, 4]).square().sum()

    def forward(self, predictions, targets):
        pred, target = self.rows(predictions[0]), self.rows(targets[0])
        coo_mask, noo_mask = self.masks(pred, target)
        coo_pred, coo_target = pred[coo_mask], target[coo_mask]
        box = self.coordinates(coo_pred[:, :4], coo_target[:, :4])
        contain = self.contain_loss(coo_pred, coo_target)
        not_contain = torch.sum(pred[noo_mask, 4] ** 2)
        kinds = (coo_pred[:, 5:] - coo_target[:, 5:]).square().sum()
        value = self.l_coord * box + contain + self.l_noobj * not_contain + kinds
        return value / len(predictions[0])


loss = Loss()
