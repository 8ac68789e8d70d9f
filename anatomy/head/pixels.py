"""Images in memory: what an array, a tensor or a PIL image must be, and the one form that it is made into."""

from typing import Any

import numpy as np
from torch import Tensor

from ..errors import SourceError

RULE = "An image array is uint8, (H, W) grey, (H, W, 3) BGR or (H, W, 4) BGRA"
TENSOR_RULE = "An image tensor is (3, H, W) or (B, 3, H, W) RGB in [0, 1], or uint8"
DEEP = {"F", "I"}  # PIL modes of 32 bits a pixel, which convert() clips at 255


def as_bgr(image: np.ndarray, channels: int = 3) -> np.ndarray:
    """An array as (H, W, channels) uint8, BGR where there are three, as Ultralytics itself reads it.

    uint16 keeps its high byte, grey is repeated, alpha is dropped. An array that is so already comes back itself.
    Raises SourceError for any other.
    """
    shape, kind = image.shape, image.dtype
    if 0 in shape:
        raise SourceError(f"An image needs pixels, but an array of shape {shape} was given.")
    if image.ndim not in (2, 3):
        more = " Give several images as a list of arrays." if image.ndim == 4 else ""
        raise SourceError(f"{RULE}, but an array of shape {shape} was given.{more}")
    if kind.kind != "u" or kind.itemsize > 2:
        raise SourceError(f"{RULE}, but an array {shape} of {kind} was given. {_remedy(image)}")
    pixels = (image >> 8).astype(np.uint8) if kind.itemsize == 2 else image
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    depth = pixels.shape[2]
    if depth == channels:
        return pixels
    if channels != 3 or depth > 4:
        turned = " Channels come last: np.moveaxis(image, 0, -1)." if shape[0] in (1, 3, 4) and len(shape) == 3 else ""
        wanted = RULE if channels == 3 else f"This model reads (H, W, {channels}) uint8"
        raise SourceError(f"{wanted}, but an array of shape {shape} was given.{turned}")
    return np.repeat(pixels[..., :1], 3, 2) if depth < 3 else np.ascontiguousarray(pixels[..., :3])


def _remedy(image: np.ndarray) -> str:
    if image.dtype.kind == "b":
        return "Make it image.astype(np.uint8) * 255."
    if image.dtype.kind == "f" and np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1:
        return "From [0, 1] make it (image * 255).round().astype(np.uint8)."
    if image.dtype.kind in "iuf":
        return "Scale it to 0..255 and make it image.astype(np.uint8)."
    return "Make it an array of numbers."


def as_batch(image: Tensor, multiple: int = 1, channels: int = 3) -> Tensor:
    """A tensor as (B, channels, H, W) in [0, 1], both sides multiples of ``multiple`` px, without gradient.

    Raises SourceError for any other.
    """
    shape = tuple(image.shape)
    if 0 in shape:
        raise SourceError(f"An image needs pixels, but a tensor of shape {shape} was given.")
    if image.ndim not in (3, 4) or shape[-3] != channels:
        raise SourceError(f"{TENSOR_RULE}, but a tensor of shape {shape} was given.")
    whole = str(image.dtype) == "torch.uint8"
    if not (image.is_floating_point() or whole):
        raise SourceError(f"{TENSOR_RULE}, but one of {image.dtype} was given. Make it image.float() / 255.")
    if shape[-2] % multiple or shape[-1] % multiple:
        raise SourceError(
            f"A tensor enters this network as it is, so its sides must be multiples of {multiple} px, but they are "
            f"{shape[-2]} × {shape[-1]}. Pad or resize it, or give an array (H, W, 3), which is letterboxed."
        )
    image = image.detach()
    if whole:
        image = image.float() / 255
    low, high = image.min(), image.max()
    if not (low >= 0 and high <= 1):
        told = "NaN" if low.isnan() or high.isnan() else f"{low:g} to {high:g}"
        raise SourceError(f"{TENSOR_RULE}, but this one holds {told}. Divide by 255?")
    return image if image.ndim == 4 else image[None]


def as_arrays(batch: Tensor) -> list[np.ndarray]:
    """(B, 3, H, W) RGB in [0, 1] as arrays (H, W, 3) uint8 BGR, rounded to 8 bits."""
    pixels = (batch.float() * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [np.ascontiguousarray(image[..., ::-1]) for image in pixels]


def check_picture(image: Any) -> None:
    """Refuse a PIL image without pixels, or with more than 16 bits a pixel (SourceError)."""
    if 0 in image.size:
        raise SourceError(f"An image needs pixels, but a PIL image of {image.size} was given.")
    if image.mode in DEEP:
        raise SourceError(
            f"A PIL image must have 8 or 16 bits a channel, but its mode is {image.mode!r}. Scale it to 0..255 and "
            "make it image.convert('L')."
        )


def picture_as_bgr(image: Any) -> np.ndarray:
    """A PIL image as (H, W, 3) uint8 BGR, turned as its EXIF says; 16 bits keep their high byte."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])
