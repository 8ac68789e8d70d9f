"""Which labels belong to which image, and why something is left out of a mended set."""

from collections.abc import Mapping

from .choice import Choice

NO_LABELS = "no labels belong to it"
NOBODYS = "its labels belong to no image"
UNREADABLE = "its size, which the reading needs, cannot be read"
NAMELESS = "the class that is meant is none of the set's"
OFF = "the reading puts the row off the image"


def paired(images: tuple[str, ...], choice: Choice) -> Mapping[str, str]:
    """The image beside which the labels of each image were written: by pairing that is not mended, itself.

    An image to which the labels of none belong is not among them; labels that belong beyond the list's ends, or to an
    image that has its own, are nobody's.
    """
    moved = {image: mend.pairing for image, mend in choice.mends.items() if mend.pairing}
    sources = {image: image for image in images if image not in moved}
    for place, image in enumerate(images):
        target = place + moved.get(image, 0)
        if image in moved and 0 <= target < len(images):
            sources.setdefault(images[target], image)
    return sources
