"""Small parts that much stands on, each by hand: values at rest, ends of blocks, merging, scores, names, sources."""

import copy
import math
import pickle
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import anatomy
from anatomy import SelectionError, SourceError, select_class, select_classes
from anatomy.arguments import shown, whole_numbers
from anatomy.head import scores, sources
from anatomy.head.at_rest import PickledAtRest, at_rest
from anatomy.head.endings import ending_with, to_the_end
from anatomy.head.evaluating import evaluating, evaluation_mode
from anatomy.head.images import image_files, open_images, read_image
from anatomy.head.levels import level_name
from anatomy.head.mark import ATTRIBUTE, Mark, mark_of
from anatomy.head.merging import merge_blocks
from anatomy.head.pixels import as_arrays, as_batch, as_bgr, picture_as_bgr
from anatomy.tracing.gradient import DifferentiablePass
from anatomy.tracing.overlap import pair_overlaps

Pair = namedtuple("Pair", "a b")


@dataclass(frozen=True)
class Held(PickledAtRest):
    values: torch.Tensor
    name: str


def test_values_at_rest_have_memory_of_their_own():
    whole = torch.arange(12.0).view(3, 4)
    part = whole.T[1]
    for made in (at_rest(part), at_rest((part,))[0], at_rest([part])[0], at_rest({"a": part})["a"]):
        assert torch.equal(made, part) and made.is_contiguous() and made.untyped_storage().nbytes() == 12
    pair = at_rest(Pair(part, 1))
    assert type(pair) is Pair and pair.b == 1 and pair.a.untyped_storage().nbytes() == 12
    held = Held(part, "x")
    rested = at_rest(held)
    assert type(rested) is Held and rested is not held and rested.name == "x" and at_rest(Held) is Held
    assert rested.values.untyped_storage().nbytes() == 12 and held.values is part
    assert (
        at_rest(SimpleNamespace(cpu=lambda: "on the CPU")) == "on the CPU" and at_rest(SimpleNamespace(cpu=5)).cpu == 5
    )
    assert not at_rest(torch.ones(1, requires_grad=True)).requires_grad


def test_a_copy_keeps_tensors_where_they_are_and_a_pickle_does_not():
    held = Held(torch.arange(12.0)[:3], "x")
    assert copy.copy(held).values is held.values
    deep = copy.deepcopy(held)
    assert deep.values is not held.values and torch.equal(deep.values, held.values) and deep.name == "x"
    far = pickle.loads(pickle.dumps(held))
    assert torch.equal(far.values, held.values) and far.values.untyped_storage().nbytes() == 12


def test_what_is_due_at_the_end_is_done_as_often_as_it_is_interrupted():
    done, left = [], [KeyboardInterrupt("first"), KeyboardInterrupt("second")]

    def action():
        if left:
            raise left.pop(0)
        done.append(1)

    with pytest.raises(KeyboardInterrupt, match="second"):
        to_the_end(action)
    to_the_end(action)
    assert done == [1, 1]


@pytest.mark.parametrize(
    ("always", "fails", "times"), [(True, False, 1), (True, True, 1), (False, False, 0), (False, True, 1)]
)
def test_an_end_is_due_always_or_where_the_block_fails(always, fails, times):
    done = []
    try:
        with ending_with(lambda: done.append(1), always=always):
            assert not done
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert len(done) == times


def test_an_error_of_the_end_itself_is_told_after_one_more_try():
    tried = []

    def action():
        tried.append(1)
        raise ValueError("no end")

    with pytest.raises(ValueError, match="no end"), ending_with(action):
        pass
    assert len(tried) == 2


def test_evaluation_is_over_at_the_end_of_the_block():
    net = nn.Sequential(nn.Dropout(), nn.Linear(2, 2))
    net[0].eval()
    with evaluation_mode(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == [True, False, True]
    with torch.inference_mode():
        made = nn.BatchNorm1d(2)
    kept = made.running_mean
    with torch.no_grad(), evaluating(made):
        assert not torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        assert not any(value.is_inference() for value in (*made.parameters(), made.running_mean))
    with evaluating(made):
        assert torch.is_grad_enabled()
    assert made.running_mean is kept and made.weight.is_inference()


def test_blocks_are_merged_by_their_own_methods_and_the_whole_by_its_own_alone():
    class Block(nn.Identity):
        def __init__(self, *names):
            super().__init__()
            self.called = []
            for name in names:
                setattr(self, name, lambda name=name: self.called.append(name))

    first, second, third = Block("fuse", "reparameterize"), Block("fuse", "switch_to_deploy"), Block()
    net = nn.Sequential(first, nn.Sequential(second), third)
    assert merge_blocks(net) is net and not net.training
    assert (first.called, second.called, third.called) == (["reparameterize"], ["switch_to_deploy"], [])
    whole = Block("fuse")
    whole.inside = first
    merge_blocks(whole)
    assert (whole.called, first.called) == (["fuse"], ["reparameterize"])
    with pytest.raises(anatomy.UnsupportedModelError, match="have a method reparameterize, switch_to_deploy, fuse"):
        merge_blocks(third)


def test_what_lies_on_a_network_and_is_no_record_is_told():
    net = nn.Identity()
    net.__dict__[ATTRIBUTE] = {"record": {"edits": []}}
    assert mark_of(net).record == {"edits": []} and mark_of(net) is mark_of(net)
    for odd in ([], {"record": 5}):
        net = nn.Identity()
        net.__dict__[ATTRIBUTE] = odd
        with pytest.warns(UserWarning, match=r"lies on this Identity is no record \((list|dict)\)"):
            assert mark_of(net).record is None
    mark = Mark(record={"a": 1}).lay_on(nn.Identity())
    assert pickle.loads(pickle.dumps(mark)) == {"record": {"a": 1}} and pickle.loads(pickle.dumps(Mark())) == {}


@pytest.mark.parametrize(
    ("total", "threads", "shares"), [(0, 4, 1), (32768, 4, 1), (32769, 4, 2), (10**6, 4, 4), (98305, 8, 4)]
)
def test_among_how_many_threads_a_loop_is_shared(total, threads, shares):
    assert scores._shares(total, threads) == shares


def test_whole_blocks_and_what_is_left_at_the_end_of_each_share():
    assert [scores._whole_blocks(count, 1) for count in (1, 64, 65)] == [64, 64, 128]
    assert scores._whole_blocks(32769, 2) == 32896  # two shares of 257 blocks
    assert scores._anchors_in_rest(3, 30, 1).tolist() == list(range(4, 30))  # the last 26 of 90 values
    assert scores._anchors_in_rest(2, 32, 1).tolist() == []
    assert scores._anchors_in_rest(1, 40_000, 2).tolist() == [*range(19_968, 20_000), *range(39_968, 40_000)]


@pytest.mark.parametrize("conf", [0.0, 1e-9, 0.25, 0.5, 0.999, 1.0])
def test_candidates_are_all_that_may_exceed_the_confidence_and_hardly_more(conf):
    edge = math.log(conf / (1 - conf)) if 0 < conf < 1 else 0.0
    levels = torch.linspace(-20, 20, 40), torch.tensor([edge, edge + 1e-4, edge - 1e-4, edge + 1, edge - 1, 100])
    found = scores.candidates(levels, conf).tolist()
    likely = torch.cat(levels).double().sigmoid()
    assert set((likely > conf).nonzero().view(-1).tolist()) <= set(found)
    assert all(likely[index] > conf - 1e-5 for index in found) and found == sorted(found)


def test_names_of_levels_and_classes():
    assert [level_name(stride) for stride in (8.0, 64, 6)] == ["P3", "P6", "P2.58496"]
    names = dict(enumerate(f"class {letter}" for letter in "abcdefghijklm"))
    told = ", ".join(repr(name) for name in list(names.values())[:12])
    with pytest.raises(SelectionError, match=rf"of this head\. The names are {told} and 1 more\.$"):
        select_class(names, "zzz")
    del names[12]
    with pytest.raises(SelectionError, match=rf"12 classes of this head\. The names are {told}\.$"):
        select_class(names, "zzz")
    with pytest.raises(SelectionError, match=r"Did you mean 'class a' or 'class \w' or 'class \w'\?$"):
        select_class(names, "class aa")
    both = {0: "cat", 1: "Cat", 2: " dog"}
    assert (select_class(both, "cat"), select_class(both, "Cat"), select_class(both, "DOG ")) == (0, 1, 2)
    with pytest.raises(SelectionError, match=r"'CAT' is ambiguous: it fits the ids \[0, 1\]"):
        select_class(both, "CAT")
    assert select_classes(both, "all") == (0, 1, 2) and select_classes({0: "all", 1: "b"}, "all") == (0,)
    with pytest.raises(SelectionError, match=r"Class 3 is out of range: this head has classes 0 to 2\."):
        select_class(both, 3)


def test_values_are_shown_short():
    assert shown(5) == "5 (int)" and shown("a" * 90) == f"'{'a' * 37}...{'a' * 38}' (str)"
    longest = "x" * 80
    assert shown(type("Odd", (), {"__repr__": lambda self: longest})()) == f"{longest} (Odd)"
    assert len(shown([["y" * 70] * 6] * 6)) == 80 + len("… (list)")
    for odd in ({1: 2}, {1}, frozenset([1]), b"1", "1", [[1], [1]]):
        with pytest.raises(TypeError, match="x must be whole numbers"):
            whole_numbers(odd, "x")
    assert whole_numbers(torch.tensor(3, dtype=torch.uint8), "x").tolist() == [3]


GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_arrays_as_bgr():
    colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    assert as_bgr(colour) is colour
    assert np.array_equal(as_bgr(GREY), np.stack([GREY] * 3, 2)) and np.array_equal(
        as_bgr(GREY[..., None]), as_bgr(GREY)
    )
    assert np.array_equal(as_bgr(np.stack([GREY, GREY + 9], 2)), as_bgr(GREY))  # of grey and alpha the grey
    four = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    assert np.array_equal(as_bgr(four), four[..., :3]) and as_bgr(four).flags.c_contiguous
    assert np.array_equal(as_bgr(colour.astype(np.uint16) * 257), colour)
    assert as_bgr(four, 4) is four and as_bgr(GREY, 1).shape == (3, 4, 1)
    with pytest.raises(SourceError, match=r"^This model reads \(H, W, 4\) uint8, but an array of shape \(3, 4, 3\)"):
        as_bgr(colour, 4)
    with pytest.raises(SourceError, match=r"shape \(3, 4, 5\) was given\. Channels come last: np\.moveaxis"):
        as_bgr(np.zeros((3, 4, 5), np.uint8))
    with pytest.raises(SourceError, match=r"shape \(2, 4, 5\) was given\.$"):
        as_bgr(np.zeros((2, 4, 5), np.uint8))
    with pytest.raises(SourceError, match=r"shape \(3, 4\) was given\.$"):
        as_bgr(np.zeros((3, 4), np.uint8), 4)
    with pytest.raises(
        SourceError, match=r"shape \(2, 3, 4, 3\) was given\. Give several images as a list of arrays\.$"
    ):
        as_bgr(np.zeros((2, 3, 4, 3), np.uint8))
    with pytest.raises(SourceError, match=r"shape \(3,\) was given\.$"):
        as_bgr(np.zeros(3, np.uint8))


@pytest.mark.parametrize(
    ("image", "remedy"),
    [
        (GREY > 3, r"Make it image\.astype\(np\.uint8\) \* 255\."),
        (GREY / 11, r"From \[0, 1\] make it \(image \* 255\)\.round\(\)"),
        (GREY / 10, r"Scale it to 0\.\.255"),
        (GREY / 11 - 0.5, r"Scale it to 0\.\.255"),
        (GREY * np.nan, r"Scale it to 0\.\.255"),
        (GREY.astype(np.int64), r"Scale it to 0\.\.255"),
        (GREY.astype(np.uint32), r"Scale it to 0\.\.255"),
        (GREY.astype(object), r"Make it an array of numbers\."),
    ],
)
def test_arrays_of_other_numbers_and_their_remedy(image, remedy):
    with pytest.raises(SourceError, match=rf"but an array \(3, 4\) of \w+ was given\. {remedy}"):
        as_bgr(image)


def test_tensors_as_batches_and_arrays():
    whole = torch.arange(24, dtype=torch.uint8).view(3, 2, 4) * 10
    batch = as_batch(whole, 2)
    assert batch.shape == (1, 3, 2, 4) and torch.equal(batch[0], whole.float() / 255)
    same = torch.rand(2, 3, 2, 4, requires_grad=True)
    assert as_batch(same, 2).shape == (2, 3, 2, 4) and not as_batch(same, 2).requires_grad
    assert as_batch(torch.ones(4, 2, 2), channels=4).shape == (1, 4, 2, 2)
    (image,) = as_arrays(batch)
    assert np.array_equal(image, whole.numpy().transpose(1, 2, 0)[..., ::-1]) and image.flags.c_contiguous
    assert as_arrays(torch.full((1, 3, 1, 1), 0.5))[0].tolist() == [[[128] * 3]]
    for odd, told in (
        (torch.ones(4, 2, 2), "of shape"),
        (torch.ones(2, 2), "of shape"),
        (torch.ones(1, 1, 3, 2, 2), "of shape"),
        (torch.ones(3, 3, 2), r"multiples of 2 px, but they are 3 × 2\. Pad"),
        (torch.ones(3, 2, 3), r"multiples of 2 px, but they are 2 × 3\. Pad"),
        (torch.tensor([[[0.0, 1.5]]] * 3).repeat(1, 2, 1), r"holds 0 to 1\.5\. Divide"),
        (torch.tensor([[[-0.5, 1]]] * 3).repeat(1, 2, 1), r"holds -0\.5 to 1\. Divide"),
        (torch.tensor([[[0, torch.nan]]] * 3).repeat(1, 2, 1), r"holds NaN\. Divide"),
    ):
        with pytest.raises(SourceError, match=told):
            as_batch(odd, 2)


def test_pictures_of_sixteen_bits_keep_their_high_byte(tmp_path):
    deep = Image.fromarray(np.array([[256, 65535], [511, 0]], np.uint16))
    assert picture_as_bgr(deep)[..., 0].tolist() == [[1, 255], [1, 0]]
    red = Image.new("RGB", (2, 1), (255, 0, 7))
    assert picture_as_bgr(red).tolist() == [[[7, 0, 255]] * 2]
    assert picture_as_bgr(Image.new("L", (1, 2), 9)).shape == (2, 1, 3)


def test_images_of_every_source(tmp_path):
    image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    for name in ("b.PNG", "a.png", "c[1].bmp"):
        cv2.imwrite(str(tmp_path / name), image)
    (tmp_path / "notes.txt").write_text("x")
    assert [path.name for path in image_files(tmp_path)] == ["a.png", "b.PNG", "c[1].bmp"]
    for source, names in (
        (tmp_path, ["a.png", "b.PNG", "c[1].bmp"]),
        (str(tmp_path / "?.*"), ["a.png", "b.PNG"]),
        (tmp_path / "c[1].bmp", ["c[1].bmp"]),
        ([tmp_path / "a.png", (tmp_path / "b.PNG",)], ["a.png", "b.PNG"]),
    ):
        found = list(open_images(source))
        assert [path.rpartition("/")[2] for path, _ in found] == names
        assert all(np.array_equal(made, image) for _, made in found)
    batch = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].repeat(2, 1, 1, 1)
    assert [(path, np.array_equal(made, image)) for path, made in open_images(batch)] == [("tensor", True)] * 2
    assert [path for path, _ in open_images([image, Image.fromarray(image)])] == ["array", "image"]
    with Image.open(tmp_path / "a.png") as picture:
        assert [path for path, _ in open_images(picture)] == [str(tmp_path / "a.png")]
    (tmp_path / "empty.png").touch()
    for odd in ("notes.txt", "empty.png", "none.png"):
        with pytest.raises(SourceError, match=r"could not be read as an image"):
            read_image(tmp_path / odd)
    with pytest.raises(SourceError, match="the int could not be read"):
        list(open_images(5))


def test_the_door_looks_at_files_and_lets_pass_what_its_reader_answers_for(tmp_path, monkeypatch):
    for passes in ("http://x/y.jpg", "no/*.jpg", "no?.jpg", "7", "screen", "a.streams", "b.txt", "c.csv", tmp_path):
        assert sources.open_door(passes, multiple=32) == passes
    assert sources.open_door(0, multiple=32) == 0
    for odd, multiple in ((0, None), (-1, 32), (True, 32), (1.0, 32)):
        with pytest.raises(SourceError, match="which is no image"):
            sources.open_door(odd, multiple=multiple)
    image = np.full((8, 8, 3), 90, np.uint8)
    for ending, mark in ((".jpg", b"\xff\xd9"), (".JPEG", b"\xff\xd9"), (".png", b"IEND\xaeB`\x82")):
        path = tmp_path / f"x{ending}"
        whole = cv2.imencode(ending, image)[1].tobytes()
        for notes in (b"", b"\0" * (sources.TAIL - len(mark))):
            path.write_bytes(whole + notes)
            assert sources.open_door(path) == path
        for cut in (whole[: -len(mark)], whole + b"\0" * (sources.TAIL - len(mark) + 1)):
            path.write_bytes(cut)
            told = (
                rf"{path.name}' is cut short: {len(cut)} bytes without the mark that ends a {ending[1:].upper()} image"
            )
            with pytest.raises(SourceError, match=told):
                sources.open_door(path)
        path.write_bytes(b"no picture")
        assert sources.open_door(path) == path
    assert sources.TAIL == 65536
    (tmp_path / "x.bmp").write_bytes(b"\xff\xd8")
    assert sources.open_door([tmp_path / "x.bmp", image])[1] is image


def test_lists_of_tensors_enter_together_where_the_family_reads_tensors():
    two = [torch.rand(3, 32, 64), torch.rand(2, 3, 32, 64)]
    assert torch.equal(sources.open_door(two, multiple=32), torch.cat([two[0][None], two[1]]))
    assert [image.shape for image in sources.open_door(two)] == [(32, 64, 3)] * 3
    assert len(sources.open_door((two[0], np.zeros((5, 5), np.uint8)))) == 2


def test_a_source_is_told_in_two_hundred_characters():
    assert sources._shorten("x" * 197) == repr("x" * 197) and sources._shorten("x" * 198) == "'" + "x" * 196 + "..."
    assert sources._shorten([1]) == "the list"
    assert str(sources.several("a.jpg")).startswith("trace takes one image, but 'a.jpg' holds several.")
    for camera in (0, 3):
        with pytest.raises(SourceError, match=f"but {camera} was given, which names a camera"):
            sources.check_single(camera)
    sources.check_single(True)
    sources.check_original("a.png", GREY)
    with pytest.raises(SourceError, match=r"'a\.png' holds pixels of uint16"):
        sources.check_original("a.png", GREY.astype(np.uint16))


@pytest.mark.parametrize(("share", "found"), [(0.0, True), (0.015, True), (0.03, False)])
@pytest.mark.parametrize("turned", [False, True])
def test_logits_within_two_hundredths_of_their_spread_are_the_same(share, found, turned):
    made = torch.randn(1, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    spread = made[0].flatten(1).std(1).square().sum().sqrt()
    shown_ = made[0].flip(1).clone() if turned else made[0].clone()
    shown_[2] += share * spread
    view = DifferentiablePass(run=SimpleNamespace(logits=(shown_,)), pixels=made, logits=(made[0],))
    if found:
        assert view.place(0, 0, 3) == ((2, 3) if turned else (0, 3))
    else:
        with pytest.raises(anatomy.UnsupportedModelError, match=r"level 0 holds the logits of cell \(0, 3\)"):
            view.place(0, 0, 3)


def test_boxes_that_are_inside_out_overlap_nothing():
    boxes = [[0, 0, 10, 10], [10, 0, 0, 10], [0, 10, 10, 0]]
    assert pair_overlaps(boxes, boxes).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert pair_overlaps([], boxes).shape == (0, 3)
