"""Readings and lists in words."""

from collections.abc import Sequence
from typing import Any

ORDER_WORDS = {
    "xy_swapped": "the two coordinates of the centre exchanged",
    "wh_swapped": "width and height exchanged",
    "axes_swapped": "x and y exchanged, width and height too",
}
FORMAT_WORDS = {
    "xywh": "the upper left corner in place of the centre (x y w h)",
    "x2y2wh": "the lower right corner in place of the centre: half the size was added to a centre as if to a corner",
    "xyxy": "two corners (x1 y1 x2 y2) in place of centre and size",
    "xyxy_as_xywh": "corners (x1 y1 x2 y2) taken for x y w h and made centres",
    "xxyy": "two corners in the order x1 x2 y1 y2, in place of centre and size",
}
UNIT_WORDS = {
    "px": "px in place of shares",
    "per_px": "shares divided by the side once more, as shares in place of px are",
    "wrong_side": "x divided by the height, y by the width",
    "width": "x and y both divided by the width",
    "height": "x and y both divided by the height",
}
FRAME_WORDS = {
    "letterbox": "coordinates of the letterboxed image, padded on both sides to a square",
    "letterbox_end": "coordinates of an image padded at its end to a square",
}
TURN_WORDS = {
    "flipped_horizontally": "flipped horizontally",
    "flipped_vertically": "flipped vertically",
    "rotated_180": "rotated by 180°",
    "transposed": "transposed",
    "rotated_90_cw": "rotated by 90° clockwise",
    "rotated_90_ccw": "rotated by 90° anticlockwise",
    "transversed": "flipped over the other diagonal",
}


def reading_in_words(reading: Any) -> str:
    """What a reading departs by, from the file inwards; "as written" where by nothing."""
    parts = [ORDER_WORDS.get(reading.order), FORMAT_WORDS.get(reading.format)]
    if isinstance(reading.unit, str):
        parts.append(UNIT_WORDS.get(reading.unit))
    else:
        parts.append(f"coordinates from 0 to {reading.unit:g} in place of shares")
    parts += [FRAME_WORDS.get(reading.frame), TURN_WORDS.get(reading.turn)]
    if reading.size != 1:
        parts.append(f"{reading.size:.3g} times the size")
    if reading.scale != (1, 1):
        parts.append(f"coordinates times {reading.scale[0]:.4g} (x) and {reading.scale[1]:.4g} (y)")
    if reading.shift != (0, 0):
        parts.append(f"shifted by {reading.shift[0]:+.2%} of the width and {reading.shift[1]:+.2%} of the height")
    return "; ".join(filter(None, parts)) or "as written"


def several(names: Sequence[str], most: int = 3) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(count: int, what: str) -> str:
    """So many of what is named in the plural; of one, in the singular."""
    return f"{count} {what.removesuffix('s') if count == 1 else what}"


def where(split: str) -> str:
    """The split that a sentence is about, "" where there is only one."""
    return f"{split}: " if split else ""
