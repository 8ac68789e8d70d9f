"""Genuine checkpoints open as Ultralytics opens them: the same tensors and predictions, a training that goes on."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from ultralytics import YOLO
from ultralytics.utils import DEFAULT_CFG

import surgery
from tests.ultralytics_nets import narrow, small

KINDS = [
    "yolov8n",
    "yolov8n-seg",
    "yolov8n-pose",
    "yolov8n-obb",
    "yolov5n",
    "yolov10n",
    "yolo11n",
    "yolo12n",
    "yolo26n",
]
SIDE, EPOCHS = 64, 3


def whole(kind: str, picture):
    """A YOLO object with body and head of a model file, narrow."""
    return small(kind, picture, 1 if "pose" in kind else 80, width=1 / 4 if "yolo12" in kind else 1 / 16)


def check_same(path: Path, picture) -> None:
    """``surgery.load`` and ``YOLO`` give the same tensors, class names, task and predictions."""
    mine, theirs = surgery.load(path), YOLO(path)
    ours, wanted = mine.model.state_dict(), theirs.model.state_dict()
    assert list(ours) == list(wanted)
    for name, value in wanted.items():
        assert ours[name].dtype == value.dtype
        assert torch.equal(ours[name], value), name
    assert mine.names == theirs.names
    assert mine.task == theirs.task
    assert type(mine.model) is type(theirs.model)
    assert mine.overrides | {"model": ""} == theirs.overrides | {"model": ""}
    first, second = (model.predict(picture, imgsz=192, conf=0.01, verbose=False)[0] for model in (mine, theirs))
    boxes = [found.boxes if found.obb is None else found.obb for found in (first, second)]
    assert torch.equal(boxes[0].data, boxes[1].data)


@pytest.mark.parametrize("kind", KINDS)
def test_what_ultralytics_saves(picture, tmp_path, kind):
    whole(kind, picture).save(tmp_path / "half.pt")
    check_same(tmp_path / "half.pt", picture)


@pytest.mark.parametrize("kind", ["yolov8n", "yolo26n"])
def test_full_precision_and_fused(picture, tmp_path, kind):
    model = whole(kind, picture)
    torch.save({"model": model.model.float(), "train_args": {"imgsz": 192}}, tmp_path / "float.pt")
    check_same(tmp_path / "float.pt", picture)
    model.fuse()
    model.save(tmp_path / "fused.pt")
    check_same(tmp_path / "fused.pt", picture)


def test_what_earlier_versions_left_in_a_network(build, picture, tmp_path):
    """A criterion that was made while training, other attributes, one list of layers that stands in two places."""
    model = build("yolov8n", picture)
    net, head = model.model, model.model.model[-1]
    net.args = DEFAULT_CFG
    net.criterion = net.init_criterion()
    net.end2end_before = True
    head.cv4 = head.cv5 = torch.nn.ModuleList([torch.nn.Identity()] * 3)
    torch.save({"model": None, "ema": net.half(), "train_args": {}}, tmp_path / "earlier.pt")
    check_same(tmp_path / "earlier.pt", picture)


@pytest.mark.parametrize("name", ["yolov8n_coco", "yolo11n_coco", "yolo26n_coco"])
def test_real_weights(real, picture, name):
    check_same(real / "weights" / f"{name}.pt", picture)


@pytest.fixture(scope="module")
def stopped(real, tmp_path_factory) -> Path:
    """The ``last.pt`` of a training that was stopped after its first epoch."""
    folder = tmp_path_factory.mktemp("training")
    for part in ("images", "labels"):
        (folder / part).mkdir()
    for image in sorted((real / "coco128" / "images").iterdir())[:16]:
        shutil.copy(image, folder / "images")
        label = real / "coco128" / "labels" / f"{image.stem}.txt"
        if label.exists():
            shutil.copy(label, folder / "labels")
    names = "".join(f"  {index}: c{index}\n" for index in range(80))
    (folder / "data.yaml").write_text(f"path: {folder}\ntrain: images\nval: images\nnames:\n{names}")

    def stop(trainer):
        if trainer.epoch == 1:
            raise KeyboardInterrupt

    torch.manual_seed(0)
    plan = narrow("yolov8n", 80, bodiless=True).model.yaml
    (folder / "short.yaml").write_text(yaml.safe_dump(plan))  # a trainer looks for the file again
    model = YOLO(str(folder / "short.yaml"))
    model.add_callback("on_train_epoch_start", stop)
    settings = {
        "imgsz": SIDE,
        "epochs": EPOCHS,
        "batch": 8,
        "workers": 0,
        "plots": False,
        "amp": False,
        "device": "cpu",
    }
    with pytest.raises(KeyboardInterrupt):
        model.train(data=str(folder / "data.yaml"), project=str(folder), name="run", verbose=False, **settings)
    return folder / "run" / "weights" / "last.pt"


def test_a_stopped_training_opens_with_its_optimizer(stopped, picture):
    check_same(stopped, picture)
    mine = surgery.load(stopped).ckpt
    theirs = torch.load(stopped, weights_only=False)
    assert mine["epoch"] == theirs["epoch"] == 0
    assert mine["train_args"]["epochs"] == EPOCHS
    wanted = theirs["optimizer"]["state"]
    assert set(mine["optimizer"]["state"]) == set(wanted)
    for index, state in wanted.items():
        for name, value in state.items():
            assert torch.equal(torch.as_tensor(mine["optimizer"]["state"][index][name]), torch.as_tensor(value))


@pytest.mark.parametrize("by", ["Ultralytics itself", "surgery.save"])
def test_a_stopped_training_goes_on(stopped, by):
    path = stopped
    if by == "surgery.save":
        path = surgery.save(surgery.load(stopped), stopped.parent / "again.pt")
    began = []
    model = YOLO(path)
    model.add_callback("on_train_epoch_start", lambda trainer: began.append(trainer.epoch))
    kept = stopped.read_bytes()
    try:
        model.train(resume=True)
    finally:
        stopped.write_bytes(kept)  # a training that goes on writes into the same folder
    assert began == list(range(1, EPOCHS))


@pytest.mark.parametrize("task", [None, "dance", ["detect"]])
def test_a_task_that_is_none_is_read_from_the_head(build, picture, tmp_path, task):
    model = build("yolov8n-seg", picture)
    model.model.task = task
    torch.save({"model": model.model, "train_args": {"imgsz": 64}}, tmp_path / "task.pt")
    assert surgery.load(tmp_path / "task.pt").task == "segment"


def test_the_stride_of_a_network_is_its_own_where_it_has_one(picture, tmp_path):
    model = whole("yolov8n-p6", picture)
    torch.save({"model": model.model, "train_args": {"imgsz": 64}}, tmp_path / "six.pt")
    assert surgery.load(tmp_path / "six.pt").model.stride.tolist() == [8, 16, 32, 64]
    del model.model.stride
    torch.save({"model": model.model, "train_args": {"imgsz": 64}}, tmp_path / "none.pt")
    assert surgery.load(tmp_path / "none.pt").model.stride.tolist() == [32]
