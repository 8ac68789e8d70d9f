"""What opening does to a network that was read: its names, its settings, its own attributes, and what is refused."""

import inspect
import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.modules import Detect, WorldDetect
from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace
from ultralytics.utils.loss import v8DetectionLoss

import anatomy
import surgery
from anatomy import CheckpointError
from anatomy.families import ultralytics
from anatomy.families.ultralytics import opening
from tests.surgery.hostile.networks import Written, attribute, child, network, save


def refused(what, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        what()


@pytest.mark.parametrize("imgsz", [1, 16_384, [640], (320, 640)])
@pytest.mark.parametrize("single", [None, True, 0])
def test_settings_that_can_be(imgsz, single):
    opening._check_settings({"imgsz": imgsz, "single_cls": single}, ValueError)


@pytest.mark.parametrize("imgsz", [0, 16_385, [], (1, 2, 3), (640, 0), True, 640.0, None])
def test_image_sizes_of_a_training_that_cannot_be(imgsz):
    settings = {"imgsz": imgsz, "single_cls": None}
    refused(lambda: opening._check_settings(settings, ValueError), "was trained on images of no known size (imgsz)")


@pytest.mark.parametrize("single", ["no", [], 1.0])
def test_what_no_setting_can_be(single):
    settings = {"imgsz": 640, "single_cls": single}
    refused(lambda: opening._check_settings(settings, ValueError), "says what no setting can be (single_cls)")


def named(names, head) -> dict:
    return opening._names(SimpleNamespace(names=names, model=[head]), ValueError)


def test_names_are_one_for_each_class_where_rows_are_classes():
    head = Detect(2, ch=(4,))
    assert named(["a", "b"], head) == named({0: "a", 1: "b"}, head) == {0: "a", 1: "b"}
    assert named(["a"], nn.Linear(1, 1)) == {0: "a"}
    world = WorldDetect.__new__(WorldDetect)
    nn.Module.__init__(world)
    assert named(["a"], world) == {0: "a"}
    for names, told in ((["a"], "1 names for 2 classes"), ({1: "a", 2: "b"}, None), ({0: "a", 2: "b"}, None)):
        with pytest.raises(ValueError, match=f"^names its classes wrongly \\({re.escape(told) if told else '.+'}\\)$"):
            named(names, head)
    with pytest.raises(ValueError, match=r"^names its classes wrongly \(.*\)$"):
        named({1: "a"}, nn.Linear(1, 1))


def test_the_format_of_another_family_is_told():
    assert opening._other({"format": "x" * 59}) == f" Its format is {'x' * 59!r}: give the opener of that family."
    for entries in ({"format": "x" * 60}, {"format": 5}, {}, ["format"]):
        assert opening._other(entries) == ""


def test_a_yolo_object_around_a_network_is_as_ultralytics_makes_one():
    net = network()
    made = opening.wrap(net, ckpt={"a": 1})
    assert type(made) is YOLO and made.model is net and made.task == "detect" and made.ckpt == {"a": 1}
    assert made.overrides == {"task": "detect", "model": "DetectionModel"}
    assert [made.predictor, made.trainer, made.cfg, made.ckpt_path, made.metrics, made.model_name] == [None] * 6
    assert "training" not in vars(made) and made.training is net.training and made.callbacks["on_predict_start"]
    net.task = None
    assert opening.wrap(net).task == "detect"


def test_a_network_is_finished_as_ultralytics_does_it(tmp_path):
    def change(net):
        del net.stride
        net.train()
        net.task = "dance"
        net.model[3].inplace = False

    path = save(tmp_path / "x.pt", change, train_args={"imgsz": 96, "data": "coco.yaml", "epochs": 7, "lr0": 0.5})
    opened = anatomy.open_checkpoint(path)
    net = opened.model
    assert net.stride.tolist() == [32] and net.task == opened.task == "detect" and net.names == {0: "cat", 1: "dog"}
    assert not any(module.training for module in net.modules())
    assert {value.dtype for value in net.parameters()} == {torch.float32} and net.pt_path == str(path)
    assert net.model[3].inplace is True
    assert {module._is_full_backward_hook for module in net.modules()} == {None}  # none was laid yet
    kept = {"imgsz": 96, "data": "coco.yaml", "task": "detect", "single_cls": False, "model": str(path)}
    assert net.args == opened.overrides == kept
    assert opened.ckpt_path == opened.model_name == str(path)
    assert opened.ckpt["model"] is net and opened.ckpt["ema"] is None and opened.ckpt["train_args"]["epochs"] == 7
    assert set(DEFAULT_CFG_DICT) >= {"imgsz", "data", "single_cls"}


def test_the_averaged_weights_come_first(tmp_path):
    other = network()
    with torch.no_grad():
        other.model[0].conv.weight.fill_(0.5)
    opened = anatomy.open_checkpoint(save(tmp_path / "x.pt", ema=other.half()))
    assert (opened.model.model[0].conv.weight == 0.5).all()
    assert opened.ckpt["ema"] is opened.model and opened.ckpt["model"] is None
    torch.save({"ema": network().half(), "train_args": {}}, tmp_path / "y.pt")
    assert anatomy.open_checkpoint(tmp_path / "y.pt").ckpt["model"] is None


@pytest.mark.parametrize("data", ["https://x/y.yaml", 5, None])
def test_data_that_would_be_fetched_is_forgotten(tmp_path, data):
    assert anatomy.open_checkpoint(save(tmp_path / "x.pt", train_args={"data": data})).overrides["data"] is None


def test_what_is_no_checkpoint_is_told(tmp_path):
    torch.save({"weights": 1, "format": "other"}, tmp_path / "x.pt")
    told = r"x\.pt' holds no Ultralytics model that can be opened\. Its format is 'other': give the opener"
    with pytest.raises(CheckpointError, match=told):
        anatomy.open_checkpoint(tmp_path / "x.pt")
    torch.save({"model": None}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"that can be opened, but nothing\.$"):
        anatomy.open_checkpoint(tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"must end in \.pt for Ultralytics to open it, but 'x\.pth' was given"):
        anatomy.open_checkpoint(tmp_path / "x.pth")
    for wrong in (5, None):
        with pytest.raises(TypeError, match=rf"given by its path, but {type(wrong).__name__} was given"):
            anatomy.open_checkpoint(wrong)
    with pytest.raises(TypeError, match=r"trusted must be True or False, but 1 \(int\) was given"):
        anatomy.open_checkpoint(tmp_path / "x.pt", trusted=1)


DOORS = [anatomy.open_checkpoint, anatomy.Head.open, ultralytics.open_checkpoint, opening.open_checkpoint]
DOORS += [anatomy.describe(network()).open, surgery.load, surgery.certify]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.__module__}.{door.__qualname__}")
def test_no_door_trusts_a_file_unless_it_is_told(door):
    assert inspect.signature(door).parameters["trusted"].default is False


def test_a_trusted_file_is_opened_where_it_lies(tmp_path):
    path = save(tmp_path / "x.pt")
    opened = anatomy.open_checkpoint(path, trusted=True)
    assert {opened.ckpt_path, opened.model_name, opened.overrides["model"], opened.model.pt_path} == {str(path)}
    with pytest.raises(FileNotFoundError, match=r"There is no checkpoint .*none\.pt' \(working folder: "):
        anatomy.open_checkpoint(tmp_path / "none.pt", trusted=True)
    (tmp_path / "text.pt").write_text("x")
    with pytest.raises(CheckpointError, match=r"text\.pt' holds no Ultralytics model that can be opened: "):
        anatomy.open_checkpoint(tmp_path / "text.pt", trusted=True)


def test_settings_are_read_as_they_are_pickled(tmp_path):
    for settings, imgsz in ((IterableSimpleNamespace(imgsz=96), 96), (IterableSimpleNamespace(), None)):
        opened = anatomy.open_checkpoint(save(tmp_path / "x.pt", train_args=settings))
        assert type(opened.ckpt["train_args"]) is IterableSimpleNamespace
        assert getattr(opened.ckpt["train_args"], "imgsz", None) == imgsz
        assert opened.overrides["imgsz"] == 640  # only a dictionary is the settings of the training


def changed(folder, change):
    return save(folder / "x.pt", change)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda f: save(f / "x.pt", extra=Written(IterableSimpleNamespace, 5)), "holds settings that are none"),
        (
            lambda f: save(f / "x.pt", extra=Written(IterableSimpleNamespace, state=("a",))),
            "holds settings that are none",
        ),
        (
            lambda f: save(f / "x.pt", extra=v8DetectionLoss.__new__(v8DetectionLoss)),
            "makes an object of ultralytics.utils.loss.v8DetectionLoss where plain data is needed",
        ),
        (
            lambda f: child(f / "x.pt", "model", "7", Written(nn.Identity, 5)),
            "makes a Identity otherwise than torch.save does",
        ),
        (
            lambda f: child(f / "x.pt", "model", "7", Written(nn.Identity)),
            "makes a Identity otherwise than torch.save does",
        ),
        (lambda f: attribute(f / "x.pt", "model.0", _forward_hooks={1: 2}), "lays hooks on a Conv (_forward_hooks)"),
        (lambda f: attribute(f / "x.pt", "model.0", _buffers=[1]), "has _buffers of a Conv that are a list"),
        (lambda f: attribute(f / "x.pt", "model.0", _buffers={"a": 1}), "has _buffers of a Conv that are no Tensor"),
        (
            lambda f: attribute(f / "x.pt", "model.0", _non_persistent_buffers_set={"a": 1}),
            "has _non_persistent_buffers_set of a Conv that are a dict",
        ),
        (lambda f: save(f / "x.pt", modelopt={"a": 1}), "needs the package modelopt to be made whole"),
        (lambda f: attribute(f / "x.pt", "", model=5, _modules={}), "holds a network without layers"),
        (lambda f: changed(f, lambda net: setattr(net, "model", nn.Sequential())), "holds a network without layers"),
        (lambda f: attribute(f / "x.pt", "model.6", stride=[4, 8]), "holds a network that is not whole ("),
    ],
)
def test_what_a_network_may_not_hold(tmp_path, make, why):
    with pytest.raises(CheckpointError, match=f": it {re.escape(why)}"):
        anatomy.open_checkpoint(make(tmp_path))
