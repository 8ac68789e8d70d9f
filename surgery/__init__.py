"""Edit the class rows of a detection head, level by level; see the effect at once, and take it back bit for bit."""

from .certificate import Certificate, RowCheck, certify
from .checkpoint import load, save
from .edit import Edit, read_recipe, write_recipe
from .ledger import forget, history, reset, scratch, undo
from .operations import (
    apply,
    bias_classes,
    mute_level,
    permute_classes,
    scale_classes,
    shift_classes,
    swap_classes,
    zero_classes,
)
from .standing import RecordError, RecordWarning

__all__ = [
    "Certificate",
    "Edit",
    "RecordError",
    "RecordWarning",
    "RowCheck",
    "apply",
    "bias_classes",
    "certify",
    "forget",
    "history",
    "load",
    "mute_level",
    "permute_classes",
    "read_recipe",
    "reset",
    "save",
    "scale_classes",
    "scratch",
    "shift_classes",
    "swap_classes",
    "undo",
    "write_recipe",
    "zero_classes",
]
