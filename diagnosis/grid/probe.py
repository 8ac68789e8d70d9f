"""What the levels of a detector make of a patch that moves, and where their cells look and their boxes lie."""

from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anatomy import Head, Pass, Trace, UnsupportedModelError
from anatomy.head.passes import run_passes
from anatomy.head.sources import nothing_read
from anatomy.shown import Record
from anatomy.tracing.gradient import differentiate

from .aim import Aim, read_aim
from .box_outputs import BoxOutputs, outputs_of, read_box_outputs, touched
from .motion import Motion, measure_motion, texture
from .offset import ObjectOffset
from .places import Places, read_places
from .sight import Sight, average, look

GREY = 114  # what letterboxes are filled with
CLEAR = 0.75  # an agreement at least so high is a measurement
SEEN = 1e-4  # a smaller answer, as a share of the largest logit, may be rounding
MOVES = 4  # passes that tell how a level moves: grey, a patch, and it moved twice
ROUNDS = 3  # patches tried before a level counts as undecided
TOUCHED = ((0.3, 0.3), (0.5, 0.7), (0.7, 0.45), (0.35, 0.6), (0.6, 0.25))  # of an image: places changed
LOOKS = 2  # textures that the cells are asked about,
VAGUE = 0.15  # the second where sights scatter more, in cells
CELLS, LARGEST = 4, 256  # the textures are 5 by 4 steps of so many cells of the coarsest level, and px at most


@dataclass(frozen=True, repr=False)
class GridLevel(Record):
    """What was measured of one level.

    ``cells`` (rows, columns) of its grid on the probe. ``right`` and ``down``: how its cells moved for the patch's move
    along x and y; ``boxes_right``, ``boxes_down`` (2,) xy how its boxes did, px of the network input. ``signal``: how
    strongly it answered, a share of its largest logit. ``aim``: where its boxes are placed; ``sight``: where its cells
    look, None where no gradient could be had; ``objects``: how far boxes lie from labelled objects, None without
    labels; ``box_outputs``: how its raw box outputs answered, None where a head keeps none. ``strewn``: the share of
    places whose classes answer elsewhere than where they do at the others; ``at`` (2,) xy in cells: how far from a
    change of its feature map they answer, None where that cannot be told. ``offset``: of declared points in cells.
    """

    index: int
    name: str
    stride: float
    cells: tuple[int, int]
    right: Motion
    down: Motion
    boxes_right: np.ndarray
    boxes_down: np.ndarray
    signal: float
    aim: Aim
    sight: Sight | None = None
    objects: ObjectOffset | None = None
    box_outputs: BoxOutputs | None = None
    strewn: float = 0.0
    at: np.ndarray | None = None
    offset: float = 0.5

    @property
    def agreement(self) -> float:
        """How well its cells' answer moved as a whole, of both moves the worse; 1 is exactly."""
        return min(self.right.agreement, self.down.agreement)

    @property
    def settled(self) -> bool:
        """Whether another patch would tell no more."""
        return self.agreement >= CLEAR or self.signal < SEEN / 10


def probe(head: Head, step: int, seed: int, args: dict) -> list[Pass]:
    """Passes of a grey image, with a patch, with it moved ``step`` px along x, and along y; last of texture alone."""
    shape = (4 * step, 5 * step, 3)
    patch = texture(step, seed)
    grey = np.full(shape, GREY, np.uint8)
    images = [grey]
    for x, y in ((3, 2), (5, 2), (3, 4)):
        image = grey.copy()
        image[y * step // 2 : y * step // 2 + step, x * step // 2 : x * step // 2 + step] = patch
        images.append(image)
    images.append(np.ascontiguousarray(texture(5 * step, seed + 1)[: 4 * step]))
    return [_pass(head, image, imgsz=max(shape), **args) for image in images]


def read_level(head: Head, passes: list[Pass], level: int, step: int) -> GridLevel:
    """What the passes of ``probe`` tell of a level."""
    grey, still, right, down = (pass_.logits[level].double().cpu().numpy() for pass_ in passes[:MOVES])
    entry = head.levels[level]
    moved = step / entry.stride
    x = measure_motion(still - grey, right - grey, (0, moved))
    y = measure_motion(still - grey, down - grey, (moved, 0))
    change = np.abs(still - grey).max(0)
    return GridLevel(
        index=level,
        name=entry.name,
        stride=entry.stride,
        cells=passes[0].shapes[level],
        right=x,
        down=y,
        boxes_right=_box_motion(head, passes[1], passes[2], level, x, change),
        boxes_down=_box_motion(head, passes[1], passes[3], level, y, change),
        signal=float(change.max() / max(np.abs(grey).max(), 1e-12)),
        aim=read_aim(head, passes, level),
        offset=head.grid_offset,
        box_outputs=read_box_outputs(head, passes[:MOVES], level, moved),
    )


def touches(head: Head, step: int, args: dict) -> dict[int, Places]:
    """How far beside its classes each level's box outputs answer to small changes of an image."""
    image = np.ascontiguousarray(texture(5 * step, 0)[: 4 * step])
    images, side = [image], max(step // 8, 2)
    for y, x in TOUCHED:
        top, left = (int(share * length) // side * side for share, length in ((y, 4 * step), (x, 5 * step)))
        other = image.copy()
        other[top : top + side, left : left + side] = 255 - other[top : top + side, left : left + side]
        images.append(other)
    passes = [_pass(head, one, imgsz=5 * step, **args) for one in images]
    return {level.index: touched(head, passes, level.index) for level in head.levels}


def sights(head: Head, step: int, args: dict) -> tuple[np.ndarray, dict[int, Sight], dict[int, Places]]:
    """The network input that cells were asked about, (H, W, 3) uint8, and the sight of levels by index.

    Then where their classes and box outputs answer to changes of single cells.

    The image is so large that no field is cut off at its borders; a level too coarse for ``LARGEST`` has no sight.
    Raises UnsupportedModelError where no gradient can be had.
    """
    levels = [level for level in head.levels if level.stride * CELLS <= max(LARGEST, step)]
    step = max(step, *(int(CELLS * level.stride) for level in levels))
    images = [np.ascontiguousarray(texture(5 * step, seed)[: 4 * step]) for seed in range(LOOKS)]
    first = differentiate(head, images[0], imgsz=5 * step, **args)
    looks = {level.index: [look(first, level, head.pyramid(first.run))] for level in levels}
    vague = [level for level in levels if looks[level.index][0].scatter > VAGUE]
    for image in images[1:] if vague else ():
        view = differentiate(head, image, imgsz=5 * step, **args)
        for level in vague:
            looks[level.index].append(look(view, level, head.pyramid(view.run)))
    with torch.no_grad():
        outputs = head.forward(first.pixels.detach(), first.run.branch)
    shown = [outputs_of(head.pyramid(first.run), first.run, level.index) for level in head.levels]
    try:
        places = read_places(head, first.run, outputs, shown)
    except UnsupportedModelError:  # a head whose levels cannot be run alone
        places = touches(head, step, args)
    return _picture(first.pixels), {index: average(found) for index, found in looks.items()}, places


def _picture(pixels: Tensor) -> np.ndarray:
    """A network input (1, c, H, W) of any scale as (H, W, 3) uint8."""
    shown = pixels.detach()[0].expand(3, -1, -1).permute(1, 2, 0).double().cpu().numpy()
    low, high = shown.min(), shown.max()
    return (255 * (shown - low) / max(high - low, 1e-12)).astype(np.uint8)


def _pass(head: Head, image: np.ndarray, **args) -> Pass:
    with closing(run_passes(head, image, **args)) as passes:
        pass_ = next(passes, None)
    if pass_ is None:
        raise nothing_read(image)
    return pass_


def _box_motion(head: Head, before: Pass, after: Pass, level: int, move: Motion, change: np.ndarray) -> np.ndarray:
    """The median move (2,) of box centres, px of the input, from the cells that changed to where these have moved."""
    pyramid = head.pyramid(before)
    rows, cols = pyramid.shapes[level]
    row, col = (change >= 0.1 * change.max()).nonzero()
    stays = (row + move.rows >= 0) & (row + move.rows < rows) & (col + move.cols >= 0) & (col + move.cols < cols)
    row, col = row[stays], col[stays]
    if not len(row):
        return np.full(2, np.nan)
    here = pyramid.anchor(level, row, col)
    there = pyramid.anchor(level, row + move.rows, col + move.cols)
    boxes = (Trace(head, pass_).decode(anchors) for pass_, anchors in ((before, here), (after, there)))
    first, second = ((box[:, :2] + box[:, 2:]) / 2 for box in boxes)
    return np.nanmedian(second - first, 0)
