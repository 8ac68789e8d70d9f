"""Class rows compared bit for bit, and read out of a record, by hand."""

import re

import pytest
import torch

import anatomy
from surgery import bits, certify, shift_classes, undo
from surgery.checkpoint import _survives_half
from surgery.choices import BIASES, bias_choice, class_ids, permutation
from surgery.elsewhere import differing_tensors, precision
from surgery.parameters import Parameters, frozen, plain
from surgery.places import all_rows, fits, standing
from surgery.record import Ledger, pack
from surgery.unpacking import _is_rows, _rows, unpack
from tests.corner_net import CornerNet

ROWS = torch.tensor([[1.0, 2], [3, 4], [5, 6]]), torch.tensor([7.0, 8, 9])
THIRD = 1 / 3  # that no float16 and no bfloat16 holds


def rows(weight=None, bias=None, dtype=torch.float32):
    """The rows with one number of a row changed, as (row, number)."""
    made = ROWS[0].clone().to(dtype), ROWS[1].clone().to(dtype)
    if weight:
        made[0][weight[0], 1] = weight[1]
    if bias:
        made[1][bias[0]] = bias[1]
    return made


@pytest.mark.parametrize(
    ("now", "kept", "found"),
    [
        (rows(), rows(), [0, 0, 0]),
        (rows(weight=(1, 0)), rows(), [0, 1, 0]),
        (rows(bias=(2, 0)), rows(), [0, 0, 1]),
        (rows((0, 5), (2, 5)), rows(), [1, 0, 1]),
        (rows(weight=(1, 0.0)), rows(weight=(1, -0.0)), [0, 1, 0]),
        (rows(bias=(0, torch.nan)), rows(bias=(0, torch.nan)), [0, 0, 0]),
        ((ROWS[0], None), (ROWS[0], None), [0, 0, 0]),
        ((ROWS[0], None), ROWS, [1, 1, 1]),
        (ROWS, (ROWS[0], None), [1, 1, 1]),
        (ROWS, (ROWS[0][:, :1], ROWS[1]), [1, 1, 1]),
        (rows(dtype=torch.float16), rows(), [0, 0, 0]),
        (rows(weight=(1, THIRD), dtype=torch.float16), rows(weight=(1, THIRD)), [0, 0, 0]),
    ],
)
def test_which_rows_differ(now, kept, found):
    assert bits.differing(now, kept).tolist() == [bool(one) for one in found]


def test_exactly_means_in_the_dtype_that_holds_both():
    half, whole = rows(weight=(1, THIRD), dtype=torch.float16), rows(weight=(1, THIRD))
    assert (
        bits.exact_differing(half, whole).tolist() == bits.exact_differing(whole, half).tolist() == [False, True, False]
    )
    assert not bits.exact_differing(rows(dtype=torch.float16), rows(dtype=torch.bfloat16)).any()
    assert bits.exact_differing((ROWS[0], None), (ROWS[0], None)).tolist() == [False] * 3


def test_the_coarser_dtype_that_rows_went_through():
    kept = rows(weight=(1, THIRD), bias=(0, 2.0**100))  # float16 cannot hold 2^100, bfloat16 can
    for dtype in (torch.float16, torch.bfloat16):
        assert bits.rounding(bits.rounded(bits.cast(kept, dtype), torch.float32), kept) == dtype
    assert bits.rounding(kept, kept) is None and bits.rounding(rows(weight=(0, 5)), kept) is None
    assert bits.rounded(kept, None) is kept and bits.cast((ROWS[0], None), torch.float16)[1] is None


def test_a_copy_is_in_step_in_the_coarser_of_both_dtypes():
    whole = rows(weight=(1, THIRD))
    half = bits.cast(whole, torch.float16)
    assert bits.in_step(whole, half) and bits.in_step(half, whole) and bits.in_step(whole, whole)
    for other in (rows(weight=(1, THIRD), bias=(0, 5)), bits.cast(rows(weight=(1, 0.334)), torch.float16)):
        assert not bits.in_step(whole, other) and not bits.in_step(other, whole)


def test_equal_rows_agree_in_dtype_and_bits():
    assert bits.equal(rows(), rows()) and bits.equal(ROWS, ROWS) and bits.equal((ROWS[0], None), (ROWS[0], None))
    for other in (rows(dtype=torch.float64), rows(bias=(1, 0)), rows(weight=(1, 0)), (ROWS[0], None)):
        assert not bits.equal(ROWS, other) and not bits.equal(other, ROWS)
    assert bits.equal(rows(weight=(0, torch.nan)), rows(weight=(0, torch.nan)))


def test_tensors_of_every_kind():
    for kind in (torch.bool, torch.uint8, torch.int64, torch.float64, torch.complex64):
        a, b = torch.tensor([0, 1]).to(kind), torch.tensor([1, 1]).to(kind)
        assert bits.unlike(a, b).tolist() == [True, False] and bits.identical(a, a) and not bits.identical(a, b)
    assert bits.identical(torch.ones(2), torch.ones(2, dtype=torch.float64)) and not bits.identical(
        torch.ones(2), torch.ones(1, 2)
    )
    a, b = bits.together(torch.ones(1, dtype=torch.float16, requires_grad=True), torch.ones(1, dtype=torch.bfloat16))
    assert a.dtype == b.dtype == torch.float32 and not a.requires_grad


def test_ids_of_classes_any_of_whose_anchors_is_chosen():
    chosen = torch.tensor([False, True, False, False, False, True])
    assert (bits.ids(chosen, 6), bits.ids(chosen, 3), bits.ids(chosen, 2)) == ((1, 5), (1, 2), (1,))


def test_ids_of_classes_any_of_whose_rows_is_chosen():
    chosen = torch.tensor([False, True, False, False, False, True])
    assert (bits.ids(chosen, 3, each=2), bits.ids(chosen, 2, each=3)) == ((0, 2), (0, 1))
    assert bits.ids(chosen.repeat(2), 3, each=2) == (0, 2)  # two anchors


@pytest.fixture
def head():
    return anatomy.describe(CornerNet(classes=3))


def entry(head, level: int = 0, branch="only", **changes):
    weight, bias = standing(head.net.cls[level % 2])
    made = {"branch": branch, "level": level, "weight": weight.clone(), "bias": bias.clone()} | changes
    return list(made.values())


def test_rows_of_a_record_by_place(head):
    found = _rows(head, (entry(head), tuple(entry(head, 1)), entry(head, 0, "gone")), "x")
    assert set(found) == {("only", 0), ("only", 1), ("gone", 0)}
    assert torch.equal(found["only", 1][0], head.net.cls[1].weight)
    lower = entry(head, 0, "gone", weight=torch.zeros(6, 2), bias=None)  # of a branch that is gone the rows alone
    assert _rows(head, [lower], "x")["gone", 0][1] is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "must be a list, but they are a dict"),
        ([5], "must each be [branch, level, weight, bias]"),
        ([["only", 0, ROWS[0]]], "must each be [branch, level, weight, bias]"),
        ([["only", 0, *ROWS, 5]], "must each be [branch, level, weight, bias]"),
        ({"branch": 5}, "name branch 5 and level 0, which this head has not"),
        ({"level": 2}, "name branch 'only' and level 2, which this head has not"),
        ({"level": -1}, "name branch 'only' and level -1, which this head has not"),
        ({"level": True}, "name branch 'only' and level True, which this head has not"),
        ({"weight": torch.ones(6, 12, 1, 1, dtype=torch.int64)}, "at only, level 0, are no tensors of real numbers"),
        ({"bias": [1.0] * 6}, "at only, level 0, are no tensors of real numbers"),
        (
            {"bias": None},
            "at only, level 0, have the shapes [(6, 12, 1, 1), None], but this head has [(6, 12, 1, 1), (6,)]",
        ),
        ({"weight": torch.zeros(6, 12, 1)}, "at only, level 0, have the shapes [(6, 12, 1), (6,)]"),
        (
            {"branch": "gone", "weight": torch.zeros(5, 12, 1, 1)},
            "at gone, level 0, have the shapes [(5, 12, 1, 1), (6,)]",
        ),
        ({"branch": "gone", "bias": torch.zeros(5)}, "at gone, level 0, have the shapes [(6, 12, 1, 1), (5,)]"),
    ],
)
def test_rows_of_a_record_that_cannot_be(head, given, why):
    given = [entry(head, **given)] if isinstance(given, dict) and given else given
    with pytest.raises(ValueError, match=f"^The rows x {re.escape(why)}"):
        _rows(head, given, "x")


def test_what_can_be_rows():
    assert _is_rows(ROWS[0]) and _is_rows(ROWS[1])
    for other in (torch.tensor(1.0), ROWS[0].long(), ROWS[0].to_sparse(), ROWS[0].to("meta"), [1.0], None):
        assert not _is_rows(other)


def test_fitting_is_of_weight_and_bias():
    conv, bare = torch.nn.Conv2d(2, 3, 1), torch.nn.Conv2d(2, 3, 1, bias=False)
    weight, bias = standing(conv)
    assert fits(conv, (weight, bias)) and fits(bare, (weight, None))
    for held, given in (
        (conv, (weight, None)),
        (bare, (weight, bias)),
        (conv, (weight[:2], bias)),
        (conv, (weight, bias[:2])),
    ):
        assert not fits(held, given)


def test_a_ledger_gives_the_newest_rows_and_shares_what_is_the_same(head):
    net = head.net
    first = all_rows(head)
    shift_classes(net, 0, 1)
    shift_classes(net, "all", 1)
    book = unpack(pack(_book(net)), head)
    assert [len(record.before) for record in book.records] == [1, 2]
    newest = book.newest(("only", 0))
    assert torch.equal(newest[0], net.cls[0].weight) and newest is book.records[1].after["only", 0]
    assert book.records[1].before["only", 0] is book.records[0].after["only", 0]
    assert all(torch.equal(book.baseline[place][0], rows_[0]) for place, rows_ in first.items())
    assert book.newest(("other", 0)) is None and Ledger().plain() is None and set(book.plain()) == set(pack(book))
    twin = book.copy()
    twin.records.pop()
    twin.baseline.clear()
    assert (
        len(book.records) == 2
        and len(book.baseline) == 2
        and torch.equal(twin.newest(("only", 0))[0], book.records[0].after["only", 0][0])
    )
    undo(net, 2)
    assert certify(net).untouched


def test_rows_that_an_edit_cannot_have_made_are_told(head):
    shift_classes(head.net, 0, 1)
    entry_ = pack(_book(head.net))
    entry_["edits"][0] |= {"operation": "permute_classes", "parameters": {"order": [99, 0, 1]}}
    del entry_["after"]
    with pytest.raises(ValueError, match=r"^The record of edits cannot be read: IndexError: .*\.$"):
        unpack(entry_, head)


def _book(net) -> Ledger:
    from surgery.memory import ledger

    return ledger(anatomy.describe(net))


def test_what_operations_ask_of_values():
    assert [bias_choice(word, "x") for word in BIASES] == list(BIASES)
    for word in ("off", None, ["keep"]):
        with pytest.raises(ValueError, match=r"^x must be 'silence', 'keep' or 'zero', but"):
            bias_choice(word, "x")
    assert class_ids((2, 0), "x") == [2, 0]
    names = {0: "a", 1: "b", 2: "c"}
    assert permutation(names, {"a": "b", 1: 0}) == [1, 0, 2] and permutation(names, iter([2, "a", 1])) == [2, 0, 1]
    for order in ({"a": 1, 0: 1}, {0: 1}, {0: 1, 1: 1}):
        with pytest.raises(ValueError, match=r"must send the classes it names onto one another"):
            permutation(names, order)
    for order, told in (([0, 1, 1], r"3 entries were given and \[2\] is missing"), ([0], r"\[1, 2\] are missing")):
        with pytest.raises(ValueError, match=told):
            permutation(names, order)
    with pytest.raises(ValueError, match="4 entries were given and none are missing"):
        permutation(names, [0, 1, 2, 2])


def test_parameters_are_read_alone_and_equal_whatever_their_sequences():
    held = Parameters({"order": [1, [2]], "more": {"a": [3]}})
    assert (
        held == {"order": (1, (2,)), "more": {"a": (3,)}} and held == Parameters(held.plain()) and held != {"order": 1}
    )
    assert (
        held != 5
        and hash(held) == hash(Parameters(held.plain()))
        and len(held) == 2
        and list(held) == ["order", "more"]
    )
    assert held.plain() == {"order": [1, [2]], "more": {"a": [3]}} and plain(held["more"]) == {"a": [3]}
    assert frozen(held) is held and frozen([1]) == (1,) and plain(((1,),)) == [[1]]
    with pytest.raises(TypeError, match="Parameters are a mapping of names to values"):
        Parameters([1])
    with pytest.raises(AttributeError):
        del held.order


def test_a_network_against_a_file(head):
    theirs = anatomy.describe(CornerNet(classes=3))
    assert differing_tensors(head, theirs) == () and precision(head, theirs) is None
    with torch.no_grad():
        theirs.net.cls[0].weight += 1  # class rows are told of elsewhere
        theirs.net.stem.bias[0] += 1
    theirs.net.register_buffer("more", torch.zeros(1))
    assert differing_tensors(head, theirs) == differing_tensors(theirs, head) == ("more", "stem.bias")


def test_the_precision_of_a_network_and_of_its_file(head):
    theirs = anatomy.describe(CornerNet(classes=3))
    theirs.net.double()
    told = "precision: the network holds torch.float32, the file torch.float64; its class weights are "
    assert precision(head, theirs) == told + "the file's rounded to it"
    with torch.no_grad():
        theirs.net.cls[1].weight[0] *= 1 + 1e-12  # which rounding takes away
        assert precision(head, theirs) == told + "the file's rounded to it"
        theirs.net.cls[1].weight[0] *= 2
    assert precision(head, theirs) == told + "not the file's, rounded or not"
    theirs.levels = theirs.levels[:1]
    assert precision(head, theirs) == told + "the file's rounded to it"  # of levels that both have
    theirs.branches = ("another",)
    assert precision(head, theirs) is None
    other = anatomy.describe(CornerNet(classes=4))
    other.net.double()
    assert precision(head, other) is None


def test_a_copy_in_float16_that_changes_no_bit_is_known():
    for value, survives in (
        (torch.tensor([0.5, -2.0]), True),
        (torch.tensor([0.5, THIRD]), False),
        (torch.tensor([1e6]), False),
        (torch.tensor([7, 1 << 40]), True),
        (torch.tensor([True]), True),
    ):
        assert _survives_half(value) is survives
