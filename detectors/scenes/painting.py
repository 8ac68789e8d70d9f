"""How one shape gets onto a scene: its mask, its shadow, its shaded colour, and the camera's finish over all."""

import cv2
import numpy as np

from .backdrop import random_color


def rasterize(contours: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Coverage (side, side) uint8 of contours around 0, and the contours in that frame, int32 in 1/16 px for cv2."""
    half = int(np.ceil(max(np.abs(c).max() for c in contours))) + 2
    fixed = [np.round((c + half) * 16).astype(np.int32) for c in contours]
    mask = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
    cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, 4)
    return mask, fixed


def cast_shadow(image: np.ndarray, mask: np.ndarray, x: int, y: int, rng: np.random.Generator) -> None:
    """Darkens `image` (H, W, 3) in place under a mask with its corner at (x, y) px, or, four times in ten, does not."""
    if rng.random() < 0.4:
        return
    side = mask.shape[0]
    dx, dy = (round(v) for v in rng.uniform(-0.06, 0.06, 2) * side)
    pad = max(2, side // 16)
    soft = cv2.blur(cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT), (pad, pad))
    x, y = x - pad + dx, y - pad + dy
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + soft.shape[1], image.shape[1]), min(y + soft.shape[0], image.shape[0])
    if x1 < x2 and y1 < y2:
        dark = soft[y1 - y : y2 - y, x1 - x : x2 - x, None].astype(np.float32) * np.float32(rng.uniform(0.2, 0.5) / 255)
        image[y1:y2, x1:x2] *= 1 - dark


def paint(
    image: np.ndarray,
    roi: tuple[slice, slice],
    crop: tuple[slice, slice],
    mask: np.ndarray,
    contours: list[np.ndarray],
    rng: np.random.Generator,
) -> None:
    """Fills `mask[crop]` over `image[roi]`, in place, with a shaded colour that stands out from what lies beneath."""
    side = mask.shape[0]
    px = side - 5  # the longer side of the object
    color = _standing_out(image[roi].reshape(-1, 3).mean(axis=0), rng)
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = axis[None] * np.float32(np.cos(angle)) + axis[:, None] * np.float32(np.sin(angle))
    light = 1 + rng.uniform(0.0, 0.28) * along
    pattern = rng.random()
    if pattern < 0.15 and px > 40:
        light = light + 0.12 * np.sign(np.sin(along * rng.uniform(8, 20)))
    elif pattern < 0.4:
        light = light + 0.35 * np.exp(-4 * ((axis[None] + 0.3) ** 2 + (axis[:, None] + 0.35) ** 2)) - 0.1
    fill = color * light[..., None]
    if rng.random() < 0.5 and px > 18:
        edge = np.zeros_like(mask)
        cv2.polylines(edge, contours, True, 255, max(1, int(px * rng.uniform(0.04, 0.09))), cv2.LINE_AA, 4)
        rim = edge.astype(np.float32)[..., None] / 255
        fill += (np.clip(color * rng.choice([0.35, 0.55, 1.5]), 0, 255) - fill) * rim
    under = image[roi]
    alpha = mask[crop].astype(np.float32)[..., None] / 255
    image[roi] = under + (np.clip(fill[crop], 0, 255) - under) * alpha


def _standing_out(under: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The first of eight random colours well apart from `under`, (3,) RGB in 0..255; else the farthest of them."""
    weights = np.array([0.8, 1.2, 0.6])  # the eye weighs green most
    bright, grey = ((0.35, 1.0), (0.35, 1.0)), ((0.0, 0.08), (0.08, 1.0))
    tries = [random_color(rng, *(bright if rng.random() < 0.85 else grey)) for _ in range(8)]
    gaps = [np.linalg.norm((c - under) * weights) for c in tries]
    good = [c for c, gap in zip(tries, gaps, strict=True) if gap > 95]
    return good[0] if good else tries[int(np.argmax(gaps))]


def develop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a camera adds: a little blur, gain, offset and grain; (H, W, 3) float32 in 0..255 to uint8."""
    blur = rng.uniform(0, 0.9)
    if blur > 0.35:
        image = cv2.GaussianBlur(image, (5, 5), blur)
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * np.float32(rng.uniform(0, 7))
    image = image * np.float32(rng.uniform(0.9, 1.1)) + (grain + np.float32(rng.uniform(-8, 8)))[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)
