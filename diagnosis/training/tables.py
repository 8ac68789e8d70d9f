"""The tables of a watch: what their columns hold. A column for each loss item follows, by the training's own names."""

from typing import Any

from polars import Float64, Int32, Int64, String

SIZES = ("small", "medium", "large")  # of an object's box in px² of the network input, by COCO's bounds
TABLES = ("batches", "levels", "sizes")

# one row a watched batch; of gradients the norm before clipping, freed of the scaler's scale, once for each step of the
# optimizer: in the row of the last watched batch that goes into it
BATCHES: dict[str, Any] = {
    "step": Int64,  # batches before this one, repeated ones counted
    "epoch": Int32,
    "batch": Int32,  # of the epoch
    "seconds": Float64,  # since the training began
    "images": Int32,
    "height": Int32,  # px of the network input
    "width": Int32,
    "objects": Int32,
    "box_outside": Int32,  # objects whose boxes leave the image, or have no area; null where labels are not known
    "class_outside": Int32,  # objects of a class that is none of the head's; null likewise
    "too_small": Int32,  # objects without a positive, a side of which is less than the finest cell
    "too_large": Int32,  # objects larger than the head can express
    "rate": Float64,
    "scale": Float64,
    "accumulated": Int32,  # batches whose gradients are summed in the norms, up to the step that this one goes into
    "grad": Float64,
    "grad_backbone": Float64,
    "grad_neck": Float64,
    "grad_head": Float64,
    "non_finite": String,  # the first layer that was not finite, forward or backward, or what else was not
    "loss": Float64,  # whose gradient is taken
}

# one row a watched batch, branch and level
LEVELS: dict[str, Any] = {
    "step": Int64,
    "branch": String,
    "level": Int32,
    "level_name": String,
    "weight": Float64,  # of the branch in the loss
    "positives": Int64,
    "target_mass": Float64,
    "grad_box": Float64,
    "grad_class": Float64,
    "activation": Float64,  # root mean square of what the head reads here
}

# one row a watched batch, branch and size of objects
SIZES_TABLE: dict[str, Any] = {"step": Int64, "branch": String, "size": String, "objects": Int64, "without": Int64}

SCHEMAS = {"batches": BATCHES, "levels": LEVELS, "sizes": SIZES_TABLE}


def schema(table: str, rows: list[dict]) -> dict[str, Any]:
    """The schema of a table with the loss items that stand in these rows behind it."""
    known = SCHEMAS[table]
    items = dict.fromkeys(name for row in rows for name in row if name not in known)
    return known | dict.fromkeys(items, Float64)
