"""The laws of edit and replay on a GPU, in single and half precision."""

import pytest
import torch

import anatomy
import surgery

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("quantize", [None, 16])
@pytest.mark.parametrize(("name", "nms"), [("yolov8n", None), ("yolo11n", None), ("yolo26n", None), ("yolo26n", False)])
def test_edits_reach_predict_and_replay_equals_it(build, picture, name, nms, quantize):
    model = build(name, picture)
    args = {
        "imgsz": 192,
        "device": 0,
        **({} if nms is None else {"nms": nms}),
        **({"quantize": 16} if quantize else {}),
    }
    trace = anatomy.trace(model, picture, **args)
    assert trace.logits[0].is_cuda
    assert len(trace.detections) > 5
    before = model.predict(picture, verbose=False, **args)[0].boxes.data
    assert torch.equal(trace.result.boxes.data, before)
    surgery.shift_classes(model, "all", 1)
    surgery.bias_classes(model, 0, 0, 1.5)
    after = model.predict(picture, verbose=False, **args)[0].boxes.data
    assert not torch.equal(after, before)
    assert torch.equal(trace.replay().result.boxes.data, after)
    assert surgery.certify(model).in_step
    surgery.reset(model)
    assert torch.equal(model.predict(picture, verbose=False, **args)[0].boxes.data, before)
