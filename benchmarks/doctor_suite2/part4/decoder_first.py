"""YOLOv1's form, cell by cell in loops: centres in a cell, roots of sides as shares of the image, objectness."""

import torch

H, W, STRIDE = 448, 320, 32  # px
OPTIONS = {"image_size": (H, W)}
CONFIDENCE = 0.2


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=4,
        classes=(5, 6, 7, 8),
        strides=(STRIDE,),
        grid_offset=0.0,
        size_unit="normalized",
        size_function="sqrt",
    )


def cell_to_box(cell, row, col, rows, cols):
    x, y, root_w, root_h = cell[:4]
    cx = (col + x) / cols * W
    cy = (row + y) / rows * H
    w = root_w**2 * W
    h = root_h**2 * H
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def decode(outputs):
    results = []
    for grid in outputs[0].permute(0, 2, 3, 1):
        detections = []
        rows, cols, _ = grid.shape
        cells = grid.tolist()
        for row in range(rows):
            for col in range(cols):
                cell = cells[row][col]
                probability = max(cell[5:])
                score = cell[4] * probability
                if score < CONFIDENCE:
                    continue
                label = cell[5:].index(probability)
                detections.append([*cell_to_box(cell, row, col, rows, cols), score, label])
        results.append(torch.tensor(detections).view(-1, 6))
    return results
