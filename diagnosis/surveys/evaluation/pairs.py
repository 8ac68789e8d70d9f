"""The evaluation table and the labels of a survey as arrays; every variant is a mask over the same pairs."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .table import PLAIN, POOL, changed_variants

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame

SIDES = ("x1", "y1", "x2", "y2")


class Surveyed(Protocol):
    """What is asked of a survey here; ``settings`` has ``max_det`` and ``ablation``, levels a name and a stride."""

    names: dict[int, str]
    levels: tuple[Any, ...]
    settings: dict[str, Any]
    truth: bool

    @property
    def objects(self) -> "LazyFrame": ...
    @property
    def images(self) -> "LazyFrame": ...
    @property
    def evaluation(self) -> "LazyFrame": ...


@dataclass(frozen=True)
class Images:
    """I images in the order of the set: ``number`` (I,), ``size`` (I, 2) width and height, px of the original.

    input = original * gain + pad: ``gain`` (I,) of COCO's export, which takes that of the height for both axes;
    ``gains`` (I, 2) of x and y, which differ by the rounding of the resize; ``pad`` (I, 2); ``input_size`` (I, 2) px.
    """

    number: np.ndarray
    size: np.ndarray
    input_size: np.ndarray
    gain: np.ndarray
    gains: np.ndarray
    pad: np.ndarray

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Labels:
    """m labelled objects: ``image`` (m,) index into ``Images``, ``class_id`` (m,) int64, ``xyxy`` (m, 4) px of the
    original, ``in_input`` (m, 4) px of the network input.
    """

    image: np.ndarray
    class_id: np.ndarray
    xyxy: np.ndarray
    in_input: np.ndarray

    def __getitem__(self, index: np.ndarray) -> "Labels":
        return Labels(self.image[index], self.class_id[index], self.xyxy[index], self.in_input[index])


@dataclass(frozen=True)
class Pairs:
    """P pairs of box and class that some variant may keep, once each, sorted by image, then confidence, descending.

    ``image``, ``class_id``, ``level``, ``anchor`` (P,) int64, ``confidence`` (P,) float32, ``in_input`` (P, 4) float32
    px of the network input and ``xyxy`` (P, 4) float64 px of the original, clipped to the image. ``listed``: by
    variant (``PLAIN``, ``POOL``, a level) the (P,) mask of the rows that the table has of it. ``changed``: by level and
    class the rows that silencing it adds and removes besides.
    """

    image: np.ndarray
    class_id: np.ndarray
    level: np.ndarray
    anchor: np.ndarray
    confidence: np.ndarray
    in_input: np.ndarray
    xyxy: np.ndarray
    listed: dict[int, np.ndarray] = field(repr=False)
    changed: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.image)

    @property
    def pooled(self) -> bool:
        """Whether two top-k choose from a pool, as one-to-one heads do."""
        return POOL in self.listed


def read_images(survey: Surveyed) -> Images:
    """The images that could be read."""
    frame = survey.images.collect()
    frame = frame.filter(frame["error"].is_null()) if "error" in frame.columns else frame
    return Images(
        number=frame["number"].to_numpy(),
        size=_columns(frame, ("width", "height")),
        input_size=_columns(frame, ("input_width", "input_height")),
        gain=frame["gain_y"].to_numpy(),
        gains=_columns(frame, ("gain_x", "gain_y")),
        pad=_columns(frame, ("pad_x", "pad_y")),
    )


def read_labels(survey: Surveyed, images: Images) -> Labels:
    """The labelled objects of a survey. Raises ValueError where it was made without labels."""
    if not survey.truth:
        raise ValueError("Scores need labels, but this survey was made of images alone. Survey a labelled set.")
    frame = survey.objects.select("number", "class_id", *SIDES).collect()
    image, xyxy = _place(frame, images), _columns(frame, SIDES)
    gains, pad = np.tile(images.gains, 2), np.tile(images.pad, 2)
    return Labels(
        image=image,
        class_id=frame["class_id"].to_numpy().astype(np.int64),
        xyxy=xyxy,
        in_input=xyxy * gains[image] + pad[image],
    )


def read_pairs(survey: Surveyed, images: Images) -> Pairs:
    """The pairs of a survey's evaluation, each once, and which of them stand in which variant's list."""
    frame = survey.evaluation.collect()
    bits = frame["confidence"].to_numpy().astype(np.float32).view(np.int32)  # a softmax has others as a row is silent
    key = np.stack((_place(frame, images), frame["anchor"].to_numpy(), frame["class_id"].to_numpy(), bits), 1)
    key, first, pair = np.unique(key.astype(np.int64), axis=0, return_index=True, return_inverse=True)
    confidence = frame["confidence"].to_numpy()[first]
    order = np.lexsort((key[:, 2], key[:, 1], -confidence, key[:, 0]))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows = _rows_by_variant(frame["variant"].to_numpy(), place[pair.reshape(-1)])
    listed = {PLAIN: np.zeros(len(order), bool)}
    for variant in {PLAIN, POOL, *range(len(survey.levels))} & set(rows):
        listed[variant] = np.zeros(len(order), bool)
        listed[variant][rows[variant]] = True
    in_input = _columns(frame, SIDES)[first][order]
    image = key[order, 0]
    return Pairs(
        image=image,
        class_id=key[order, 2],
        level=frame["level"].to_numpy()[first][order].astype(np.int64),
        anchor=key[order, 1],
        confidence=confidence[order],
        in_input=in_input,
        xyxy=_in_original(in_input, images, image),
        listed=listed,
        changed=_changed(survey, rows),
    )


def _rows_by_variant(variant: np.ndarray, rows: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(variant, kind="stable")
    known, first = np.unique(variant[order], return_index=True)
    return dict(zip(known.tolist(), np.split(rows[order], first[1:]), strict=True)) if len(known) else {}


def _changed(survey: Surveyed, rows: dict[int, np.ndarray]) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    nothing, changed = np.zeros(0, np.int64), {}
    for level in range(len(survey.levels)):
        for class_id in survey.names:
            variants = changed_variants(len(survey.levels), len(survey.names), level, class_id)
            added, removed = (rows.get(variant, nothing) for variant in variants)
            if len(added) or len(removed):
                changed[level, class_id] = added, removed
    return changed


def _in_original(in_input: np.ndarray, images: Images, image: np.ndarray) -> np.ndarray:
    """(n, 4) boxes of the input in px of the original, clipped to the image, as the export to COCO JSON has them."""
    boxes = (in_input.astype(np.float64) - np.tile(images.pad, 2)[image]) / images.gain[image, None]
    return np.clip(boxes, 0, np.tile(images.size, 2)[image])


def _columns(frame: "DataFrame", names: tuple[str, ...]) -> np.ndarray:
    return np.stack([frame[name].to_numpy() for name in names], 1)


def _place(frame: "DataFrame", images: Images) -> np.ndarray:
    """(n,) the index into ``images`` of each row; the numbers of a survey ascend."""
    return np.searchsorted(images.number, frame["number"].to_numpy())
