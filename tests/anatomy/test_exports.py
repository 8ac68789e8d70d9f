"""Exported files against the networks that they were exported from: every detection has the same cell."""

import copy
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

import anatomy
import diagnosis
import surgery
from anatomy.families.exports.graph import Graph
from anatomy.families.exports.layout import layout_of, strides_of
from tests.contract.rows import PICTURE
from tests.exported import export_file, exported, plain

OUTSIDE, INSIDE, ONE2ONE, OPEN = {}, {"nms": True}, {"nms": False}, {"dynamic": True}
CASES = [("yolov8n", OUTSIDE), ("yolov8n", INSIDE), ("yolo26n", ONE2ONE)]


def places(trace) -> list[tuple]:
    """Level, row, column, anchor and class of every detection, in a fixed order."""
    found = trace.detections
    columns = (found.level, found.row, found.col, found.anchor, found.class_id)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_every_detection_comes_from_the_cell_that_makes_it_in_the_network(name, settings):
    own = {} if settings.get("nms") is not False else {"nms": False}
    theirs = anatomy.trace(plain(name, PICTURE), PICTURE, imgsz=PICTURE.shape[:2], **own)
    trace = anatomy.trace(exported(name, PICTURE, **settings), PICTURE)
    assert len(trace.detections) > 5
    assert len(set(trace.detections.level.tolist())) > 1
    assert places(trace) == places(theirs)
    assert trace.branch == theirs.branch
    for ours, logits in zip(trace.logits, theirs.logits, strict=True):
        torch.testing.assert_close(ours, logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(trace.run.box_logits.numpy(), theirs.run.box_logits.numpy(), rtol=1e-3, atol=1e-3)
    every = np.arange(trace.pyramid.count)
    np.testing.assert_allclose(trace.decode(every), theirs.decode(every), atol=0.02)
    np.testing.assert_allclose(trace.detections.confidence, theirs.detections.confidence, atol=1e-4)
    assert [len(rivals) for rivals in trace.detections.suppressed] == [
        len(rivals) for rivals in theirs.detections.suppressed
    ]


def test_a_segment_head_s_detections_are_those_that_nms_kept():
    """Ultralytics drops of them objects whose mask has no pixel; the export shows boxes, and makes no masks."""
    theirs = anatomy.trace(plain("yolov8n-seg", PICTURE), PICTURE, imgsz=PICTURE.shape[:2])
    trace = anatomy.trace(exported("yolov8n-seg", PICTURE), PICTURE)
    seen = theirs.head.candidates(theirs.run)
    kept = list(zip(seen.anchor[seen.survivors].tolist(), seen.class_id[seen.survivors].tolist(), strict=True))
    found = trace.detections
    assert list(zip(found.anchor.tolist(), found.class_id.tolist(), strict=True)) == kept
    assert set(places(theirs)) <= set(places(trace))
    assert trace.result.extras.shape == (len(kept), 32)


@pytest.mark.parametrize(("name", "settings"), CASES[1:3])
def test_what_a_file_selects_is_what_the_trace_shows(name, settings):
    """Its own rows, bit for bit, each with the score of the anchor that its index names."""
    path = export_file(name, PICTURE, **settings)
    frame = anatomy.Preprocessing().frame(PICTURE, PICTURE.shape[:2])
    (rows,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"images": frame})
    rows = rows[0][rows[0][:, 4] > 0.25]
    trace = anatomy.trace(anatomy.open_export(path), PICTURE)
    found = trace.detections
    assert len(rows) == len(found) > 5
    assert np.array_equal(found.confidence, rows[:, 4])
    assert np.array_equal(found.class_id, rows[:, 5])
    assert np.array_equal(trace.decode(found.anchor), rows[:, :4])
    assert np.array_equal(trace.scores().numpy()[found.class_id, found.anchor], found.confidence.astype(np.float64))


def test_what_a_file_selects_can_be_narrowed_but_not_widened():
    export = exported("yolov8n", PICTURE, **INSIDE)
    wide, whole, few = (anatomy.trace(export, PICTURE, conf=conf) for conf in (0.01, 0.25, 0.5))
    assert places(wide) == places(whole) and wide.limits.conf == 0.25
    assert places(few) == [place for place, sure in zip(places(whole), _sure(whole), strict=True) if sure] and 0 < len(
        few.detections
    ) < len(whole.detections)
    assert len(anatomy.trace(export, PICTURE, max_det=2).detections) == 2
    chosen = anatomy.trace(export, PICTURE, classes=[1]).detections
    assert set(chosen.class_id.tolist()) == {1}


def _sure(trace) -> list[bool]:
    found = trace.detections
    columns = (found.level, found.row, found.col, found.anchor, found.class_id, found.confidence > 0.5)
    return [entry[-1] for entry in sorted(zip(*(column.tolist() for column in columns), strict=True))]


@pytest.mark.parametrize("shape", [(64, 128), (100, 75), (40, 200), (33, 65)])
def test_an_open_size_is_framed_as_ultralytics_frames_it(shape):
    """The pixels of LetterBox, bit for bit, padded to whole strides."""
    from ultralytics.data.augment import LetterBox

    image = np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)
    trace = anatomy.trace(exported("yolov8n", PICTURE, **OPEN), image, imgsz=128)
    theirs = LetterBox((128, 128), auto=True, stride=32)(image=image)
    assert trace.input_shape == theirs.shape[:2]
    assert np.array_equal(trace.frame.numpy(), theirs[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255)


def test_a_file_of_one_size_is_given_that_size():
    trace = anatomy.trace(exported("yolov8n", PICTURE), PICTURE[:, :64], imgsz=640)
    assert trace.input_shape == (64, 128)
    assert trace.letterbox.pad == (32, 0)


def test_a_torchscript_program_shows_its_outputs_alone():
    path = export_file("yolov8n", PICTURE, kind="torchscript")
    with pytest.raises(anatomy.CheckpointError, match=r"TorchScript program.*Say trusted=True.*or export to ONNX"):
        anatomy.open_export(path)
    export = anatomy.open_export(path, trusted=True)
    trace, theirs = anatomy.trace(export, PICTURE), anatomy.trace(exported("yolov8n", PICTURE), PICTURE)
    assert places(trace) == places(theirs)
    for ours, logits in zip(trace.logits, theirs.logits, strict=True):
        torch.testing.assert_close(ours, logits.clamp(max=15), rtol=1e-3, atol=1e-3)
    assert set(trace.silenced("P3").detections.level_name) == {"P4", "P5"}
    for refused in (lambda: surgery.mute_level(export, 0), trace.replay):
        with pytest.raises(anatomy.UnsupportedModelError, match=r"cannot be edited.*shows its outputs alone"):
            refused()
    assert surgery.history(export) == ()


def test_rows_in_half_precision_are_edited_in_it(tmp_path):
    export = exported("yolov8n", PICTURE, quantize=16)
    assert anatomy.describe(export).class_conv(0, "one2many").weight.dtype == torch.float16
    surgery.mute_level(export, "P3")
    assert 0 not in anatomy.trace(export, PICTURE).detections.level
    again = anatomy.open_export(surgery.save(export, tmp_path / "muted.onnx"))
    assert set(anatomy.trace(again, PICTURE).detections.level_name) == {"P4", "P5"}


@pytest.mark.parametrize(("name", "settings"), CASES[:3])
def test_law_7_a_saved_file_finds_the_same_and_can_be_undone(name, settings, tmp_path):
    export = exported(name, PICTURE, **settings)
    plain_trace = anatomy.trace(export, PICTURE)
    surgery.scale_classes(export, "P4", 0, 1.5)
    surgery.bias_classes(export, "all", 1, 0.3)
    surgery.shift_classes(export, "P3", 1)
    edited = anatomy.trace(export, PICTURE)
    assert not edited.to_df().equals(plain_trace.to_df())
    path = surgery.save(export, tmp_path / "edited.onnx")
    again = surgery.load(path)
    found = anatomy.trace(again, PICTURE)
    assert found.to_df().equals(edited.to_df())
    assert all(torch.equal(*pair) for pair in zip(found.logits, edited.logits, strict=True))
    assert surgery.history(again) == surgery.history(export) != ()
    surgery.reset(again)
    assert anatomy.trace(again, PICTURE).to_df().equals(plain_trace.to_df())
    alone = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert alone.run(None, {"images": edited.frame[None].numpy()})[0].shape[0] == 1


def test_a_file_is_never_written_in_place(tmp_path):
    export = exported("yolov8n", PICTURE)
    before = export.path.read_bytes()
    surgery.mute_level(export, "P3")
    with pytest.raises(ValueError, match=r"not written over the file that it was opened from.*Give another name"):
        surgery.save(export, export.path)
    with pytest.raises(ValueError, match=r"must end in \.onnx, not 'edited\.pt'"):
        surgery.save(export, tmp_path / "edited.pt")
    assert export.path.read_bytes() == before and list(tmp_path.iterdir()) == []


def test_a_stored_bias_that_others_read_stays_theirs(tmp_path):
    proto = onnx.load(export_file("yolov8n", PICTURE))
    classes = [node for node in proto.graph.node if node.op_type == "Conv" and "cv3" in node.name][2::3]
    for node in classes:
        node.input[2] = classes[0].input[2]
    onnx.save(proto, tmp_path / "shared.onnx")
    export = anatomy.open_export(tmp_path / "shared.onnx")
    surgery.bias_classes(export, "P4", 2, 5.0)
    again = anatomy.open_export(surgery.save(export, tmp_path / "edited.onnx"))
    apart = [again.classes[level].bias - export.reader.rows[0][1] for level in range(3)]
    assert [level.tolist() for level in apart] == [[0, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 0]]


def test_rows_stored_in_whole_numbers_are_refused_with_the_reason(quantized, tmp_path):
    export = anatomy.open_export(quantized)
    assert len(anatomy.trace(export, PICTURE).detections)
    for refused in (lambda: surgery.mute_level(export, 0), lambda: surgery.save(export, tmp_path / "new.onnx")):
        with pytest.raises(anatomy.UnsupportedModelError, match=r"stored as whole numbers with a scale \(INT8\)"):
            refused()
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_copied_and_pickled_with_its_rows():
    export = exported("yolov8n", PICTURE)
    surgery.swap_classes(export, "P3", 0, 1)
    expected = anatomy.trace(export, PICTURE).to_df()
    for other in (copy.deepcopy(export), pickle.loads(pickle.dumps(export))):
        assert anatomy.trace(other, PICTURE).to_df().equals(expected)


def test_a_graph_with_boxes_and_classes_in_one_convolution_is_read(tmp_path):
    """As exporters of other years wrote it: both in one tensor a level, split after the levels are joined."""
    proto = onnx.load(export_file("yolov8n", PICTURE))
    old = _joined_then_split(proto)
    onnx.save(old, tmp_path / "old.onnx")
    theirs = anatomy.trace(exported("yolov8n", PICTURE), PICTURE)
    assert places(anatomy.trace(anatomy.open_export(tmp_path / "old.onnx"), PICTURE)) == places(theirs)


def _joined_then_split(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same network: the two joined tensors of boxes and classes made by one, and split again."""
    joined = [
        node for node in proto.graph.node if node.op_type == "Concat" and all("Reshape" in name for name in node.input)
    ]
    boxes, classes = joined
    position = max(list(proto.graph.node).index(node) for node in joined)
    made = [
        onnx.helper.make_node("Concat", [a, b], [f"level {i}"], axis=1)
        for i, (a, b) in enumerate(zip(boxes.input, classes.input, strict=True))
    ]
    made.append(onnx.helper.make_node("Concat", [f"level {i}" for i in range(3)], ["joined"], axis=2))
    sizes = numpy_helper.from_array(np.array([64, 4]), "sizes")
    made.append(onnx.helper.make_node("Split", ["joined", "sizes"], [boxes.output[0], classes.output[0]], axis=1))
    nodes = list(proto.graph.node)
    kept = nodes[: position + 1] + made + nodes[position + 1 :]
    kept = [node for node in kept if node is not boxes and node is not classes]
    new = onnx.ModelProto()
    new.CopyFrom(proto)
    del new.graph.node[:]
    new.graph.node.extend(kept)
    new.graph.initializer.append(sizes)
    return new


def test_what_needs_modules_or_other_sizes_is_refused_with_what_works():
    export = exported("yolov8n", PICTURE)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"layers are no modules\. anatomy\.equivalent"):
        anatomy.layers(export, 128)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"512 × 640 px, but this one takes 64 × 128 px alone"):
        diagnosis.check_grid(export)


def test_strides_that_the_graph_does_not_show_are_those_written_down(tmp_path):
    proto = onnx.load(export_file("yolov8n", PICTURE))
    next(node for node in proto.graph.node if node.op_type == "Conv").op_type = "Unknown"  # no shape beyond it
    graph, known = Graph(proto), Graph(onnx.load(export_file("yolov8n", PICTURE)))
    layout = layout_of(known, 4)
    assert graph.shapes.get(layout.classes[0].conv.output[0], ()) == ()
    assert strides_of(known, layout, None) == strides_of(graph, layout, 32) == ((8.0, 8.0), (16.0, 16.0), (32.0, 32.0))
    assert strides_of(graph, layout, 64) == ((16.0, 16.0), (32.0, 32.0), (64.0, 64.0))
    export = exported("yolov8n", PICTURE)
    export.reader.strides = ((4.0, 4.0), (16.0, 16.0), (32.0, 32.0))
    with pytest.raises(anatomy.UnsupportedModelError, match=r"grids of \[\(8, 16\).* strides of 4, 16, 32 px make"):
        anatomy.trace(export, PICTURE)


def test_a_graph_whose_logits_are_not_found_is_read_by_its_output(tmp_path):
    """The sigmoid spelled out: scores are where they were, and logits are told from them."""
    proto = onnx.load(export_file("yolov8n", PICTURE))
    place, node = next(
        (i, node) for i, node in enumerate(proto.graph.node) if node.op_type == "Sigmoid" and "act" not in node.name
    )
    given, made = node.input[0], node.output[0]
    spelled = [
        onnx.helper.make_node("Neg", [given], ["a"]),
        onnx.helper.make_node("Exp", ["a"], ["b"]),
        onnx.helper.make_node("Add", ["b", "one"], ["c"]),
        onnx.helper.make_node("Reciprocal", ["c"], [made]),
    ]
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes[:place] + spelled + nodes[place + 1 :])
    proto.graph.initializer.append(numpy_helper.from_array(np.float32(1), "one"))
    onnx.save(proto, tmp_path / "spelled.onnx")
    export = anatomy.open_export(tmp_path / "spelled.onnx")
    trace, theirs = anatomy.trace(export, PICTURE), anatomy.trace(exported("yolov8n", PICTURE), PICTURE)
    assert places(trace) == places(theirs)
    torch.testing.assert_close(trace.logits[0], theirs.logits[0].clamp(max=15), rtol=1e-3, atol=1e-3)
    assert anatomy.trace(copy.deepcopy(export), PICTURE).to_df().equals(trace.to_df())
    with pytest.raises(anatomy.UnsupportedModelError, match="class logits were not found in the graph"):
        surgery.mute_level(export, 0)
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "nameless.onnx")
    with pytest.raises(anatomy.UnsupportedModelError, match="No detector was found"):
        anatomy.open_export(tmp_path / "nameless.onnx")
