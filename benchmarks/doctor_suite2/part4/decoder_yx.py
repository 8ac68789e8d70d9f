"""TensorFlow's form: two corners as shares of the image, y first; class by class suppressed, as (n, 6) an image."""

import torch
from torchvision.ops import nms

HEIGHT, WIDTH = 320, 576  # px
NUM_CLASSES = 5
OPTIONS = {"image_size": (HEIGHT, WIDTH)}


def layout(make):
    return make(
        box=(1, 0, 3, 2),
        format="xyxy",
        unit="normalized",
        objectness=None,
        classes=(4, 5, 6, 7, 8),
        strides=(16, 32, 64),
        grid_offset=0.5,
    )


def absolute(boxes):
    """ymin, xmin, ymax, xmax as shares to xmin, ymin, xmax, ymax in px."""
    size = torch.tensor([HEIGHT, WIDTH, HEIGHT, WIDTH])
    boxes = boxes * size
    return boxes[..., [1, 0, 3, 2]]


def multiclass_nms(boxes, scores, limit):
    """``boxes`` (N, 4), ``scores`` (N, classes)."""
    rows = [boxes.new_zeros(0, 6)]
    for label in range(NUM_CLASSES):
        score = scores[:, label]
        chosen = torch.where(score > limit)[0]
        chosen = chosen[nms(boxes[chosen], score[chosen], 0.6)]
        columns = (score[chosen], torch.full((len(chosen),), float(label)))
        rows.append(torch.cat((boxes[chosen], torch.stack(columns, 1)), 1))
    return torch.cat(rows)


def decode(outputs):
    flat = torch.cat([level.flatten(2) for level in outputs], 2).transpose(1, 2)
    boxes, scores = absolute(flat[..., :4]), flat[..., 4:]
    limit = 0.25
    return [multiclass_nms(*image, limit) for image in zip(boxes, scores, strict=True)]
