"""Images that are one picture, encoded or sized anew: by thumbnails first, then pixel by pixel."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

THUMB = 32  # px, sides of a thumbnail
LOW = 6  # frequencies of either direction that make a signature
ALIKE = 0.2  # distance of signatures, of length 1, within which thumbnails are compared
NEIGHBOURS = 4  # nearest signatures that are looked at, the image itself among them
FLAT = 4.0  # grey levels, spread of a thumbnail below which it says nothing
THUMB_MEAN = 6.0  # grey levels by which thumbnails of one picture differ: they are decoded coarsely
CLOSE = 128  # px, sides at which two pictures are compared closely
BLOCK = 8  # px of such a picture
BLOCK_MOST = 8.0  # grey levels by which no block of one picture differs; what moved in a scene does
JPEG = (".jpg", ".jpeg")  # decoded at a fraction of their size at a fraction of the cost
REDUCED = {8: cv2.IMREAD_REDUCED_GRAYSCALE_8, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2}


def near_copies(
    paths: Sequence[Path], sizes: Sequence[tuple[int, int] | None], progress: bool = True
) -> list[tuple[int, int]]:
    """Pairs of images, by their places in ``paths``, that show one picture, whatever their encoding and size.

    ``sizes`` (width, height) px; None for an image that is left out. An image without contrast is like none; one of
    the same scene in which something moved is another.
    """
    places = [place for place, size in enumerate(sizes) if size is not None]
    thumbs: list[np.ndarray] = []
    kept: list[int] = []
    for place in tqdm(places, desc="comparing pictures", unit="image", disable=not progress):
        thumb = _small(paths[place], sizes[place], THUMB)
        if thumb is not None and thumb.std() >= FLAT:
            thumbs.append(thumb)
            kept.append(place)
    candidates = [(kept[a], kept[b]) for a, b in _candidates(thumbs)]
    shown = tqdm(candidates, desc="comparing closely", unit="pair", disable=not progress or not candidates)
    return [(a, b) for a, b in shown if _is_one_picture((paths[a], paths[b]), (sizes[a], sizes[b]))]


def _small(path: Path, size: tuple[int, int] | None, side: int) -> np.ndarray | None:
    """A grey picture of side × side px, uint8; None where the file cannot be decoded."""
    shorter = min(size) if size and path.suffix.lower() in JPEG else 0
    factor = next((factor for factor in REDUCED if shorter >= 2 * side * factor), 1)
    image = cv2.imread(str(path), REDUCED.get(factor, cv2.IMREAD_GRAYSCALE))
    return None if image is None else cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def _candidates(thumbs: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Pairs a < b whose thumbnails are nearly equal."""
    from scipy.spatial import KDTree

    if len(thumbs) < 2:
        return
    signatures = np.array([_signature(thumb) for thumb in thumbs])
    count = min(NEIGHBOURS, len(thumbs))
    _, near = KDTree(signatures).query(signatures, k=count, distance_upper_bound=ALIKE)
    own = np.arange(len(thumbs))[:, None]
    a, b = np.broadcast_arrays(own, near)
    pairs = {(min(i, j), max(i, j)) for i, j in zip(a.flat, b.flat, strict=True) if i != j and j < len(thumbs)}
    for i, j in sorted((int(i), int(j)) for i, j in pairs):
        if np.abs(thumbs[i].astype(np.int16) - thumbs[j]).mean() <= THUMB_MEAN:
            yield i, j


def _signature(thumb: np.ndarray) -> np.ndarray:
    """The lowest frequencies but the mean, as a direction: the same whatever the contrast."""
    low = cv2.dct(thumb.astype(np.float32))[:LOW, :LOW].reshape(-1)[1:]
    return low / np.linalg.norm(low)


def _is_one_picture(paths: tuple[Path, Path], sizes: tuple[tuple[int, int] | None, ...]) -> bool:
    """Whether no block of the two differs by more than what encoding and resizing do."""
    shorter = min(min(size) for size in sizes if size)
    side = max(THUMB, min(CLOSE, shorter) // BLOCK * BLOCK)
    pictures = [_small(path, size, side) for path, size in zip(paths, sizes, strict=True)]
    smooth = [cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.int16) for picture in pictures if picture is not None]
    if len(smooth) < 2:
        return False
    blocks = np.abs(smooth[0] - smooth[1]).reshape(side // BLOCK, BLOCK, side // BLOCK, BLOCK).mean((1, 3))
    return bool(blocks.max() <= BLOCK_MOST)
