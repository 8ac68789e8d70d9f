"""What follows from a cause in the same part of a loss, and is therefore not told by itself."""

from .said import Said

SPECIFIC = ("axes_swapped", "wrong_box_format", "wrong_box_unit", "half_cell_offset", "class_wrong")
FOLLOWS = {
    "not_permutation_invariant": (*SPECIFIC, "not_minimal", "gradient_leak", "no_gradient"),
    "non_finite": ("not_minimal", "no_gradient", *SPECIFIC),
    **dict.fromkeys((*SPECIFIC, "class_leak", "no_gradient"), ("not_minimal",)),
    "class_wrong": ("not_minimal", "no_gradient"),
    "mixed_batch": ("not_minimal", "no_gradient"),
    "state_leak": ("raises",),
    "gradient_leak": ("no_gradient",),
}
"""What each cause brings with it in the same part of a loss."""


def follows(one: Said, cause: Said, *, infinite: bool) -> bool:
    """Whether what was said follows from a cause: of the same part, or of all of it."""
    if "one anchor" in cause.numbers:  # of any part, in cells whose object another anchor holds
        return cause is not one and one.code in ("gradient_leak", "no_gradient", "not_minimal")
    if cause.code == "not_minimal" and one.code == "no_gradient" and one.numbers.get("of classes"):
        return one.numbers["of classes"] == cause.numbers.get("of classes")  # objects that are taken for none
    if "else by image" in cause.numbers:  # an image by itself, of which all else is asked, does not show it
        return False
    if one.weak and cause is not one and cause.part == one.part:
        return True
    if cause.code == "not_permutation_invariant" and one.code == "gradient_leak" and not one.whole:
        return cause.whole  # cells are held to hold an object that others hold, by what is said of classes too
    if cause.code == "not_permutation_invariant" and one.code == "mixed_batch" and one.whole:
        return cause.whole and cause.part == one.part  # objects are exchanged within an image as between images
    if cause.code == "gradient_leak" and one.code == "not_minimal" and cause.part == one.part:
        return cause.whole and bool(one.numbers.get("smaller")) and bool(cause.numbers.get("towards 0"))
    if cause.code == "class_wrong" and one.code == "gradient_leak" and one.numbers.get("of channels", 1.0) != 1.0:
        return True  # channels of boxes are taken for those of classes
    if cause.code == "mixed_batch" and one.code == "not_minimal" and one.part != "boxes" and not cause.whole:
        return False  # an activation is another
    if cause.code == "gradient_leak" and not one.whole:  # a mask the wrong way round leaves objects out
        return False
    if one.code not in FOLLOWS.get(cause.code, ()) or (cause.code == "non_finite" and (cause.mild or not infinite)):
        return False
    if cause.code == "no_gradient" and cause.level is not None and one.level != cause.level:  # of one level alone
        return False
    if cause.code == "no_gradient" and cause.part not in ("objectness", "classes") and not cause.whole:
        return False
    return cause.part in ("", one.part)
