"""Edit the class rows of a detection head, level by level; see the effect at once, and take it back bit for bit."""

from .certificate import Certificate, RowCheck, certify
from .checkpoint import load, save
from .edit import Edit, read_recipe, write_recipe
from .folding import FoldedLevel, FoldedText, fold_text, unfold_text
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
    "FoldedLevel",
    "FoldedText",
    "RecordError",
    "RecordWarning",
    "RowCheck",
    "apply",
    "bias_classes",
    "certify",
    "fold_text",
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
    "unfold_text",
    "write_recipe",
    "zero_classes",
]
