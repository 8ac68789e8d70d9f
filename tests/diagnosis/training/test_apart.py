"""What is read in a thread of its own while the training goes on is what would be read at once."""

import pytest
import torch

import diagnosis
from anatomy.families.ultralytics.following import UltralyticsTraining

from .trainings import break_a_layer, fresh, train

CLOCK = ["seconds"]


@pytest.fixture(params=["yolov8n", "yolo26n"])
def name(request):
    return request.param


def watched(name, data, folder, *, lasting, prepare=lambda model: None, **settings):
    """A training under a watch, and its weights at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UltralyticsTraining, "lasting", lasting)
        torch.manual_seed(0)
        model = fresh(name)
        watch = diagnosis.watch(model, every=2, out=folder / "rows")
        met = prepare(model)
        trainer = train(model, data, folder, **settings)
    return watch, trainer.model.state_dict(), met


def test_rows_and_weights_are_those_of_a_watch_that_waits(name, data, tmp_path):
    (first, state, _), (second, twin, _) = (
        watched(name, data, tmp_path / str(lasting), lasting=lasting, epochs=3, save=False) for lasting in (False, True)
    )
    assert second.error is None and len(first) == len(second) == 3
    assert first.levels.equals(second.levels) and first.sizes.equals(second.sizes)
    assert first.batches.drop(CLOCK).equals(second.batches.drop(CLOCK))
    assert all(torch.equal(state[key], twin[key]) for key in state)


def test_what_breaks_is_kept_with_the_weights_that_it_met(data, tmp_path):
    (_, state, _), (watch, twin, met) = (
        watched("yolov8n", data, tmp_path / str(lasting), lasting=lasting, prepare=break_a_layer)
        for lasting in (False, True)
    )
    (kept,) = watch.broken
    assert watch.error is None and watch.findings[0].evidence["layer"] == "'model.6.cv2.1.2' (Conv2d)"
    assert all(torch.equal(kept.load()["state"][name], value) for name, value in met.items())
    assert all(torch.equal(state[key], twin[key]) for key in state if state[key].isfinite().all())


def test_labels_of_a_training_that_breaks_off_are_looked_at(data, tmp_path):
    """An id that is none of the head's breaks a GPU before the batch is over."""

    def breaks(*_):
        raise RuntimeError("the device asserts")

    def spoil(trainer):
        for labels in trainer.train_loader.dataset.labels:
            labels["cls"][:] = 7
        trainer.model.loss = breaks

    with pytest.raises(RuntimeError, match="the device asserts"):
        watched(
            "yolov8n", data, tmp_path, lasting=True, prepare=lambda model: model.add_callback("on_train_start", spoil)
        )
    (finding,) = diagnosis.read_watch(tmp_path / "rows").findings
    assert (finding.code, finding.evidence["began"]) == ("class_outside", 0)
