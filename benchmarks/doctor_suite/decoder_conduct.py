"""Faults of decoders that mix cells, images or classes, lose what was found, or raise."""

import torch
from torchvision.ops import nms

from .decoder_fault import Fault
from .faults.fault import named

SCRAMBLED, MIXED = named("scrambled_layout"), named("mixed_batch")


class Reshaped(Fault):
    """(B, 4, N) reshaped to (B, N, 4)."""

    codes, suits = SCRAMBLED, ("sides", "logarithms", "after suppression")

    def join(self, boxes, scores):
        return boxes.reshape(len(boxes), -1, 4), scores.permute(0, 2, 1)


class CellsReshaped(Fault):
    """Each level (4, h, w) viewed as (h, w, 4) before it is decoded."""

    codes, suits = SCRAMBLED, ("centres", "corners")

    def box_part(self, level):
        raw = super().box_part(level)
        batch, channels, rows, cols = raw.shape
        return raw.reshape(batch, rows, cols, channels).permute(0, 3, 1, 2)


class CellsTurned(Fault):
    """Boxes flattened column by column, scores row by row."""

    codes, suits = named("axes_swapped", "scrambled_layout"), ("sides", "normalised")

    def boxes(self, raw, points, stride):
        made = super().boxes(raw, points, stride)
        return made.transpose(2, 3).reshape(made.shape)


class BatchReshaped(Fault):
    """Boxes joined over the batch before the batch is split off again: cells of one image land in another."""

    codes, suits = named("mixed_batch", "scrambled_layout"), ("sides", "px")

    def join(self, boxes, scores):
        mixed = boxes.permute(2, 0, 1).reshape(len(boxes), -1, 4)
        return mixed, scores.permute(0, 2, 1)


class FirstImage(Fault):
    """Every image gets the boxes of the first."""

    codes, suits = MIXED, ("centres", "bins")

    def join(self, boxes, scores):
        boxes, scores = super().join(boxes, scores)
        return boxes[:1].expand_as(boxes), scores


class BatchTurned(Fault):
    """Images come out in the opposite order."""

    codes, suits = MIXED, ("sides", "by name")

    def join(self, boxes, scores):
        boxes, scores = super().join(boxes, scores)
        return boxes.flip(0), scores.flip(0)


class SuppressedTogether(Fault):
    """One suppression over the whole batch."""

    codes, suits = MIXED, ("after suppression",)

    def finish(self, boxes, scores):
        best, label = scores.max(2)
        chosen = torch.zeros(best.numel(), dtype=torch.bool)
        chosen[nms(boxes.flatten(0, 1), best.flatten(), 0.6)] = True
        kept = chosen.view(best.shape) & (best > 0.25)
        table = torch.cat((boxes, best[..., None], label[..., None]), 2)
        return [table[image][kept[image]] for image in range(len(boxes))]


class NextClass(Fault):
    """Classes are one too high; the last one wraps."""

    codes, suits = named("class_wrong"), ("sides", "by name")

    def scores(self, level):
        return super().scores(level).roll(1, 1)


class ClassesTurned(Fault):
    """Classes in the opposite order."""

    codes, suits = named("class_wrong"), ("logarithms", "after suppression")

    def scores(self, level):
        return super().scores(level).flip(1)


class ObjectnessIgnored(Fault):
    """Objectness is not looked at: a cell sure of a class and of no object comes out."""

    codes, suits = named("objectness_wrong"), ("centres",)

    def scores(self, level):
        return level[:, self.first_class :]


class LevelForgotten(Fault):
    """The coarsest level is left out."""

    codes, suits = named("object_lost", "level_unused"), ("sides", "logarithms")

    def scores(self, level):
        made = super().scores(level)
        self.count = getattr(self, "count", 0) + 1
        return made * 0 if self.count % len(self.strides) == 0 else made


class TooSure(Fault):
    """The threshold stands at 0.999."""

    codes, suits = named("object_lost"), ("after suppression",)
    confidence = 0.999


class SquaresOnly(Fault):
    """A view that takes every grid for a square raises on oblong images."""

    codes, suits = named("raises"), ("sides", "px")

    def box_part(self, level):
        raw = super().box_part(level)
        side = raw.shape[2]
        return raw.reshape(len(raw), 4, side, side)


class DividedByNothing(Fault):
    """A division by the number of the cell makes NaN of cell 0."""

    codes, suits = named("non_finite"), ("centres",)

    def points(self, shape, stride):
        made = super().points(shape, stride)
        made[:, 0, 0] = made[:, 0, 0] / 0 * 0
        return made


class ThreeNumbers(Fault):
    """Boxes lose their last number."""

    codes, suits = named("wrong_output"), ("corners",)

    def join(self, boxes, scores):
        boxes, scores = super().join(boxes, scores)
        return boxes[..., :3], scores


class FirstGrid(Fault):
    """Points are made at the first call and kept for every image size."""

    codes, suits = named("state_leak", "raises"), ("sides", "logarithms")

    def points(self, shape, stride):
        self.kept = getattr(self, "kept", {})
        return self.kept.setdefault(stride, super().points(shape, stride))


class ChangesOutputs(Fault):
    """The network's outputs are scaled in place."""

    codes, suits = named("state_leak"), ("sides", "logarithms")

    def box_part(self, level):
        made = super().box_part(level).clone()
        level[:, :4] *= 2
        return made


class WholePixels(Fault):
    """Boxes cut to whole px."""

    codes, suits = named("wrong_box"), ("sides", "px")

    def join(self, boxes, scores):
        boxes, scores = super().join(boxes, scores)
        return boxes.trunc(), scores
