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
from .structure.adding import add_class
from .structure.beside import stack_heads
from .structure.dry_run import DryRun, dry_run
from .structure.operations import keep_classes, merge_classes, rename_classes
from .structure.prototype import Evidence, Prototype, prototype

__all__ = [
    "Certificate",
    "DryRun",
    "Edit",
    "Evidence",
    "FoldedLevel",
    "FoldedText",
    "Prototype",
    "RecordError",
    "RecordWarning",
    "RowCheck",
    "add_class",
    "apply",
    "bias_classes",
    "certify",
    "dry_run",
    "fold_text",
    "forget",
    "history",
    "keep_classes",
    "load",
    "merge_classes",
    "mute_level",
    "permute_classes",
    "prototype",
    "read_recipe",
    "rename_classes",
    "reset",
    "save",
    "scale_classes",
    "scratch",
    "shift_classes",
    "stack_heads",
    "swap_classes",
    "undo",
    "unfold_text",
    "write_recipe",
    "zero_classes",
]
