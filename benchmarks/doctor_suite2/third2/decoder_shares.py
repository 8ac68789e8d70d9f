"""One tensor for all levels, boxes as shares of the image: no grid is needed, and the size of the image is known."""

import torch

HEIGHT, WIDTH = 256, 448  # px
OPTIONS = {"image_size": (HEIGHT, WIDTH)}


def layout(make):
    return make(
        box=(5, 6, 7, 8),
        format="cxcywh",
        unit="normalized",
        objectness=None,
        classes=(0, 1, 2, 3, 4),
        strides=(16, 32),
        grid_offset=0.5,
        axes="NC",
    )


def box_cxcywh_to_xyxy(x):
    x_c, y_c, w, h = x.unbind(-1)
    x1, y1 = x_c - 0.5 * w, y_c - 0.5 * h
    return torch.stack([x1, y1, x1 + w, y1 + h], dim=-1)


def decode(outputs):
    boxes = box_cxcywh_to_xyxy(outputs[..., 5:])
    scale = torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
    boxes = boxes * scale
    return boxes, outputs[..., :5]
