"""The operations of surgery, one row each: what it does to class rows, what it takes, how it is told in words.

The functions of ``surgery``, the reader of recipes and the explorer read this table. A new operation is a row here, its
arithmetic in ``rows.py`` if none there fits, and a function for callers in ``operations.py``.
"""

from anatomy import whole_number
from anatomy.arguments import shown

from . import rows
from .choices import (
    EVERY_CLASS,
    NO_CLASSES,
    SOME_CLASSES,
    TWO_CLASSES,
    bias_choice,
    class_ids,
    factor,
    permutation,
)
from .rules import Operation, Parameter
from .structure import choices, regrouping
from .structure.told import told_added, told_beside, told_groups, told_kept, told_renamed


def _always(values: object) -> bool:
    """Of an operation that is about whole classes whatever its parameters are."""
    return True


OPERATIONS = (
    Operation(
        "shift_classes",
        change=rows.shift,
        words=lambda chosen, k: f"classes shifted by {k:+d}",
        classes=NO_CLASSES,
        parameters=(Parameter("k", check=whole_number, called="k, the shift in classes,"),),
    ),
    Operation(
        "permute_classes",
        change=rows.permute,
        words=lambda chosen, order, names=False: "classes permuted" + ", names with them" * names,
        classes=NO_CLASSES,
        parameters=(
            Parameter("order", check=class_ids, on_model=permutation),
            Parameter("names", check=choices.true_or_false, optional=True, left_out=True),
        ),
        regroup=regrouping.permuted,
        whole=lambda values: bool(values.get("names")),
    ),
    Operation(
        "swap_classes",
        change=rows.swap,
        words=lambda chosen: f"{chosen} swapped",
        classes=TWO_CLASSES,
    ),
    Operation(
        "zero_classes",
        change=rows.zero,
        words=lambda chosen, bias: f"{chosen} silenced" if bias == "silence" else f"{chosen} zeroed",
        classes=SOME_CLASSES,
        parameters=(Parameter("bias", check=bias_choice),),
    ),
    Operation(
        "scale_classes",
        change=rows.scale,
        words=lambda chosen, factor: f"{chosen} scaled by {factor:g}",
        classes=SOME_CLASSES,
        parameters=(Parameter("factor", check=factor),),
    ),
    Operation(
        "bias_classes",
        change=rows.offset,
        words=lambda chosen, delta: f"{chosen} biased by {delta:+.2f}",
        classes=SOME_CLASSES,
        parameters=(Parameter("delta", check=factor),),
    ),
    Operation(
        "mute_level",
        change=rows.zero,
        words=lambda chosen, bias="silence": "muted",
        classes=EVERY_CLASS,
        # it silences, whatever a recipe says of the bias
        parameters=(Parameter("bias", check=bias_choice, on_model=lambda names, given: "silence", optional=True),),
    ),
    Operation(
        "keep_classes",
        words=told_kept,
        classes=NO_CLASSES,
        parameters=(
            Parameter("kept", check=choices.as_listed, on_model=choices.kept_classes),
            Parameter("exact", check=choices.true_or_false, optional=True, left_out=True),
        ),
        regroup=regrouping.kept,
        whole=_always,
    ),
    Operation(
        "rename_classes",
        words=told_renamed,
        classes=NO_CLASSES,
        parameters=(Parameter("renamed", check=choices.as_listed, on_model=choices.renamed_classes),),
        regroup=regrouping.renamed,
        whole=_always,
    ),
    Operation(
        "merge_classes",
        words=told_groups,
        classes=NO_CLASSES,
        parameters=(
            Parameter("groups", check=choices.as_listed, on_model=choices.groups_of_classes),
            Parameter("how", check=choices.how_merged),
        ),
        regroup=regrouping.merged,
        whole=_always,
    ),
    Operation(
        "add_class",
        words=told_added,
        classes=NO_CLASSES,
        parameters=(
            Parameter("names", check=choices.as_listed, on_model=choices.new_names),
            Parameter("source", check=choices.as_listed, on_model=choices.source_class, optional=True, left_out=True),
            Parameter("rows", check=choices.as_listed, optional=True, left_out=True),
            Parameter("evidence", check=choices.as_text, optional=True, left_out=True),
        ),
        regroup=regrouping.added,
        whole=_always,
    ),
    Operation(
        "stack_heads",
        words=told_beside,
        classes=NO_CLASSES,
        parameters=(
            Parameter("names", check=choices.as_listed, on_model=choices.new_names),
            Parameter("donor", check=choices.as_text),
            Parameter("path", check=choices.as_text, optional=True, left_out=True),
            Parameter("boxes", check=choices.as_text),
        ),
        regroup=regrouping.added,
        whole=_always,
    ),
)
TABLE = {operation.name: operation for operation in OPERATIONS}


def operation_of(name: object) -> Operation:
    """The row of this name; raises ValueError where there is none."""
    if not isinstance(name, str) or name not in TABLE:
        told = repr(name) if isinstance(name, str) else shown(name)
        raise ValueError(f"Operation {told} is unknown. There are {', '.join(TABLE)}.")
    return TABLE[name]
