"""A loop of one's own with targets as Ultralytics has them: what contradicts itself is told."""

from contextlib import suppress

import pytest
import torch

import diagnosis
from tests.ultralytics_nets import narrow

from .trainings import CLASSES, SIDE, fresh

BOXES = ((0.3, 0.4, 0.3, 0.3), (0.6, 0.5, 0.4, 0.5))


@pytest.fixture(scope="module")
def net():
    from ultralytics.cfg import get_cfg

    net = narrow("yolov8n", CLASSES, bodiless=True).model
    net.args = get_cfg(overrides={"imgsz": SIDE})
    return net.train()


def batch_of(labels=(0, 1), boxes=BOXES, images: int = 2) -> dict:
    return {
        "img": torch.rand(images, 3, SIDE, SIDE),
        "batch_idx": torch.arange(len(labels)).mul(images).div(max(len(labels), 1)).floor(),
        "cls": torch.tensor(labels, dtype=torch.float).reshape(-1, 1),
        "bboxes": torch.tensor(boxes, dtype=torch.float).reshape(-1, 4),
    }


def learn(net, watch, batch, *, backward: bool = True) -> None:
    with watch.step(batch["img"], batch) as step:
        loss = step.tell(net.loss(batch)[0].sum())
        if backward:
            loss.backward()


def test_a_block_without_a_backward_pass_is_told_once_and_no_old_gradient_is_measured(net):
    net.zero_grad()
    net.loss(batch_of())[0].sum().backward()  # what is left of it is of no step that is watched
    watch = diagnosis.watch(net, every=1)
    for _ in range(6):
        learn(net, watch, batch_of(), backward=False)
    finding, nothing = watch.findings
    assert finding.code == nothing.code == "no_backward" and finding.evidence["began"] == 0
    assert "no gradient came to any weight inside `with watch.step`. Put loss and backward in it" in finding.message
    assert (finding.severity, nothing.severity) == ("warning", "error")
    assert "3 blocks in a row before step 3 left gradients and weights as they were" in nothing.message
    assert watch.batches["grad"].null_count() == watch.levels["grad_box"].null_count() // 3 == 6
    learn(net, watch, batch_of())  # adds to the gradients that are there
    net.zero_grad()
    learn(net, watch, batch_of())
    assert watch.batches["grad"].null_count() == 6 and len(watch.findings) == 2
    assert watch.error is None


def test_batches_of_which_none_has_an_object_are_told(net):
    net.zero_grad()
    watch = diagnosis.watch(net, every=1)
    for _ in range(5):
        learn(net, watch, batch_of((), ()))
    (finding,) = watch.findings
    assert finding.code == "no_objects" and finding.evidence["images"] == 10
    assert "None of the 5 watched batches in steps 0 to 4 (epoch 1) had an object" in finding.message
    assert watch.batches["box_outside"].to_list() == [0] * 5
    assert watch.error is None


@pytest.mark.parametrize("label", [-1, CLASSES])
def test_a_class_that_is_none_is_told_though_the_loss_may_raise(net, label):
    watch = diagnosis.watch(net, every=1)
    with suppress(IndexError, RuntimeError):  # Ultralytics takes a negative one for class 0
        learn(net, watch, batch_of((0, label)))
    (finding,) = watch.report()
    assert finding.code == "class_outside" and finding.evidence["count"] == 1


def test_boxes_in_px_are_told_in_place_of_what_follows_from_them(net):
    net.zero_grad()
    watch = diagnosis.watch(net, every=1)
    for _ in range(5):  # 30 objects, 20 of them of class 0: as many as the rules ask for
        batch = batch_of((0, 0, 0, 0, 1, 1), BOXES * 3)
        learn(net, watch, batch | {"bboxes": batch["bboxes"] * 640})
    (finding,) = watch.findings
    assert finding.code == "box_outside" and finding.evidence["count"] == 6
    assert "px" in finding.message and "Boxes reach 512, shares of the image are wanted" in finding.message
    assert watch.batches["box_outside"].to_list() == [6] * 5
    assert watch.batches["class_outside"].to_list() == [0] * 5


def test_a_box_that_leaves_the_image_is_told_and_is_not_said_to_be_in_px(net):
    watch = diagnosis.watch(net, every=1)
    learn(net, watch, batch_of(boxes=(BOXES[0], (0.9, 0.5, 0.4, 0.5))))
    (finding,) = watch.findings
    assert finding.code == "box_outside" and "px" not in finding.message and finding.evidence["count"] == 1


def test_labels_of_another_form_are_not_said_to_be_without_fault(net):
    watch, batch = diagnosis.watch(net, every=1), batch_of()
    with watch.step(batch["img"]):
        net.loss(batch)[0].sum().backward()
    assert watch.batches.select("box_outside", "class_outside").row(0) == (None, None)
    assert watch.batches["rate"].to_list() == [None]


def test_a_step_of_a_watch_that_waits_for_ultralytics_says_so():
    watch = diagnosis.watch(fresh())
    with pytest.raises(ValueError, match=r"waits for its model\.train.*diagnosis\.watch\(model\.model\)"), watch.step():
        pass
    watch.close()


def cut(loss):
    return loss.detach().requires_grad_()


@pytest.mark.parametrize(
    "backward",
    [
        lambda step, loss: step.tell(cut(loss)).backward(),
        lambda step, loss: step.tell(cut(loss) * 2).backward(),
        lambda step, loss: step.tell(loss.detach()),
    ],
)
def test_a_loss_that_is_cut_off_from_the_network_is_an_error_at_once(net, backward):
    net.zero_grad()
    watch, batch = diagnosis.watch(net, every=1), batch_of()
    with watch.step(batch["img"], batch) as step:
        backward(step, net.loss(batch)[0].sum())
    (finding,) = watch.findings
    assert (finding.code, finding.severity, finding.evidence["began"]) == ("no_backward", "error", 0)
    assert "cut off from the network: its backward reaches no weight" in finding.message


def test_a_cut_loss_that_is_not_told_is_an_error_after_three_blocks_and_a_backward_pass_outside_is_none(net):
    net.zero_grad()
    inside, outside = diagnosis.watch(net, every=9), diagnosis.watch(net, every=9)
    for _ in range(5):
        with inside.step():
            cut(net.loss(batch_of())[0].sum()).backward()
    assert [one.code for one in inside.findings] == ["no_backward"] * 2
    assert [one.severity for one in inside.findings] == ["warning", "error"]
    assert "no backward came" not in str(inside) and "Nothing is learned" in inside.findings[1].message
    for _ in range(5):
        with outside.step():
            loss = net.loss(batch_of())[0].sum()
        loss.backward()
    assert [(one.code, one.severity) for one in outside.findings] == [("no_backward", "warning")]


def test_a_loop_without_zero_grad_is_told(net):
    state = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6)
    optimizer.zero_grad()
    watch = diagnosis.watch(net, every=1)
    for _ in range(5):
        learn(net, watch, batch_of())
        optimizer.step()
    net.load_state_dict(state)
    assert [(one.code, one.severity) for one in watch.findings] == [("gradients_kept", "warning")]
    assert "batches add up: 3 blocks without zero_grad" in watch.findings[0].message


def test_objects_that_all_belong_to_the_first_image_are_told(net):
    net.zero_grad()
    watch = diagnosis.watch(net, every=1)
    for block in range(7):  # 4 images each: by chance at most one of 4^7
        assert watch.findings == () or block == 7
        learn(net, watch, batch_of(images=4) | {"batch_idx": torch.zeros(2)})
    (finding,) = watch.findings
    assert (finding.code, finding.severity) == ("first_image_only", "error")
    assert "All 14 objects of 7 watched batches in steps 0 to 6 (epoch 1) belong to the first of 4" in finding.message
    assert "`batch_idx` must hold" in finding.message
    other = diagnosis.watch(net, every=1)
    for block in range(8):  # in one of them the last image has objects, too
        index = torch.tensor([0, 3.0 if block == 4 else 0])
        learn(net, other, batch_of(images=4) | {"batch_idx": index})
    assert other.findings == ()


def corners_of(count: int, side: float) -> torch.Tensor:
    """Boxes on a diagonal as two corners, on an image of this side."""
    low = torch.linspace(0.05, 0.6, count)
    return torch.stack((low, low / 2, low + 0.3, low / 2 + 0.4), 1) * side


@pytest.mark.parametrize(("side", "unit"), [(1.0, "shares of the image"), (640.0, "px")])
def test_corners_in_place_of_centre_and_size_are_recognised(net, side, unit):
    net.zero_grad()
    watch = diagnosis.watch(net, every=1)
    for _ in range(5):
        learn(net, watch, batch_of((0, 0, 0, 0, 1, 1), corners_of(6, side).tolist()))
    (finding,) = watch.findings
    assert finding.code == "box_outside" and finding.evidence["corners"]
    assert f"They seem to be two corners in {unit}" in finding.message and "cut at the edges" not in finding.message
    assert "(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1" in finding.message
    assert ("divide x by the width" in finding.message) == (unit == "px")


@pytest.mark.parametrize(
    "boxes", [corners_of(2, 1.0).tolist(), [(0.2, 0.2, 0.5, 0.6), (0.3, 0.3, 0.2, 0.4), (0.9, 0.5, 0.4, 0.5)]]
)
def test_boxes_that_may_be_no_corners_are_not_said_to_be(net, boxes):
    watch = diagnosis.watch(net, every=1)
    learn(net, watch, batch_of((0,) * len(boxes), boxes))
    (finding,) = watch.findings
    assert finding.code == "box_outside" and "must be cut at the edges" in finding.message


def test_a_network_without_settings_is_watched_but_for_levels_and_what_it_lacks_is_said():
    bare = narrow("yolov8n", CLASSES, bodiless=True).model.train()
    vars(bare).pop("args", None)
    watch = diagnosis.watch(bare, every=1)

    def step_of_it():
        with watch.step() as step:
            outputs = bare(torch.rand(1, 3, SIDE, SIDE))
            step.tell(outputs["boxes"].square().mean() + outputs["scores"].square().mean()).backward()

    with pytest.warns(UserWarning, match=r"not told by level: .*Set them, net\.args = ultralytics\.cfg\.get_cfg"):
        step_of_it()
    assert watch.error is None and watch.batches["grad"][0] > 0 and len(watch.levels) == 0
    assert "criterion" not in vars(bare)
