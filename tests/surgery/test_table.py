"""The table of operations: every row has a function, and tells an edit in the names of levels and classes."""

import pytest

import surgery
from anatomy import Level
from surgery.choices import EVERY_CLASS
from surgery.edit import Edit, tell
from surgery.table import OPERATIONS, TABLE
from tests.corner_net import CornerNet

LEVELS = [Level(index, f"P{index + 3}", 8.0 * 2**index, 16, {}) for index in range(3)]
NAMES = {0: "cat", 1: "dog", 2: "bird"}

TOLD = [
    (Edit("shift_classes", (0,), (), {"k": 2}), "P3: classes shifted by +2"),
    (Edit("shift_classes", (0, 1, 2), (), {"k": -1}), "all levels: classes shifted by -1"),
    (Edit("permute_classes", (0, 2), (), {"order": [2, 0, 1]}), "P3, P5: classes permuted"),
    (Edit("swap_classes", (1,), (2, 0)), "P4: bird and cat swapped"),
    (Edit("zero_classes", (1,), (0,), {"bias": "silence"}), "P4: cat silenced"),
    (Edit("zero_classes", (1,), (0, 1), {"bias": "keep"}), "P4: cat, dog zeroed"),
    (Edit("scale_classes", (1,), (0, 1, 2), {"factor": 0.5}), "P4: every class scaled by 0.5"),
    (Edit("bias_classes", (1,), (1,), {"delta": 1.25}), "P4: dog biased by +1.25"),
    (Edit("mute_level", (2,), (0, 1, 2), {"bias": "silence"}), "P5: muted"),
    (Edit("mute_level", (2,)), "P5: muted"),
    (
        Edit("permute_classes", (0, 1, 2), (), {"order": [2, 0, 1], "names": True}),
        "all levels: classes permuted, names with them",
    ),
    (Edit("keep_classes", (), (), {"kept": [[2, "bird"], [0, "cat"]]}), "head: 2 classes kept: bird, cat"),
    (Edit("keep_classes", (), (), {"kept": [[2, "bird"]]}), "head: 1 class kept: bird"),
    (Edit("rename_classes", (), (), {"renamed": [[0, "cat", "lynx"]]}), "head: renamed: cat to lynx"),
    (
        Edit("merge_classes", (), (), {"groups": [["pet", [[0, "cat"], [1, "dog"]]]], "how": "highest"}),
        "head: cat, dog merged into pet",
    ),
    (
        Edit("merge_classes", (), (), {"groups": [["pet", [[0, "cat"], [1, "dog"]]]], "how": "mean"}),
        "head: cat, dog merged into pet, the mean row for all",
    ),
    (Edit("add_class", (), (), {"names": ["owl"], "source": [2, "bird"]}), "head: owl added, from rows of bird"),
    (
        Edit("add_class", (), (), {"names": ["owl"], "rows": [], "evidence": "ridge on 2 boxes of 1 images"}),
        "head: owl added, from a prototype (ridge on 2 boxes of 1 images)",
    ),
    (
        Edit("stack_heads", (), (), {"names": ["a", "b"], "donor": "f00d", "path": "b.pt", "boxes": "boxes as here"}),
        "head: 2 classes of b.pt put beside: a, b; boxes as here",
    ),
]


@pytest.mark.parametrize(("edit", "words"), TOLD)
def test_an_edit_is_told_in_words(edit, words):
    assert tell(edit, LEVELS, NAMES) == words


def test_the_only_class_and_a_pair_of_two_are_named():
    assert tell(Edit("scale_classes", (0,), (0,), {"factor": 2.0}), LEVELS, {0: "cat"}) == "P3: cat scaled by 2"
    assert tell(Edit("swap_classes", (0,), (0, 1)), LEVELS, {0: "cat", 1: "dog"}) == "P3: cat and dog swapped"


def test_the_words_of_every_operation_are_told_here():
    assert {edit.operation for edit, _ in TOLD} == set(TABLE)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.name)
def test_every_row_has_a_function_of_its_name(operation):
    assert operation.name in surgery.__all__ and callable(getattr(surgery, operation.name))


def test_a_muted_level_loses_every_class_also_where_one_is_called_all():
    assert EVERY_CLASS.choose({0: "all", 1: "dog"}, None) == (0, 1)


def test_a_swap_is_recorded_in_the_order_of_the_classes():
    net = CornerNet()
    assert surgery.swap_classes(net, "all", 2, 0).classes == (0, 2)
    assert surgery.history(net)[0].classes == (0, 2)
