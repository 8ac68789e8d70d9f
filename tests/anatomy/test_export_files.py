"""Files that are no export, or are damaged, or ask for more: every one is refused at the door, with the reason."""

import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import anatomy
from tests.contract.rows import PICTURE
from tests.exported import export_file


@pytest.fixture(scope="module")
def proto() -> onnx.ModelProto:
    return onnx.load(export_file("yolov8n", PICTURE))


@pytest.fixture
def copied(proto) -> onnx.ModelProto:
    new = onnx.ModelProto()
    new.CopyFrom(proto)
    return new


def opened(model: onnx.ModelProto, folder: Path, **settings) -> anatomy.Export:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return anatomy.open_export(path, **settings)


def test_what_is_no_file_of_a_known_kind_is_refused(tmp_path):
    with pytest.raises(TypeError, match="given by its path, but int was given"):
        anatomy.open_export(3)
    with pytest.raises(FileNotFoundError, match=r"There is no file .*absent\.onnx"):
        anatomy.open_export(tmp_path / "absent.onnx")
    (tmp_path / "model.engine").write_bytes(b"x")
    with pytest.raises(anatomy.CheckpointError, match=r"opened as \.onnx, \.torchscript or \.xml.*'model\.engine'"):
        anatomy.open_export(tmp_path / "model.engine")
    with pytest.raises(anatomy.CheckpointError, match=r"holds one \.xml file, but .* holds 0"):
        anatomy.open_export(tmp_path)


@pytest.mark.parametrize("content", [b"no graph, but text", b"\x89PNG\r\n\x1a\n", pickle.dumps({"a": 1}), b"\x00" * 64])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(anatomy.CheckpointError, match=r"is no ONNX file|holds no whole ONNX graph"):
        anatomy.open_export(tmp_path / "model.onnx")


@pytest.mark.parametrize("ending", [".onnx", ".torchscript", ".xml"])
def test_an_empty_file_is_refused(tmp_path, ending):
    (tmp_path / f"model{ending}").touch()
    with pytest.raises(anatomy.CheckpointError, match=r"is empty \(0 bytes\)\. Export or copy it again"):
        anatomy.open_export(tmp_path / f"model{ending}")


def test_a_file_cut_anywhere_is_refused(proto, tmp_path):
    content = proto.SerializeToString()
    path = tmp_path / "cut.onnx"
    for share in (0.001, 0.1, 0.5, 0.9, 0.999):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises((anatomy.CheckpointError, anatomy.UnsupportedModelError)):
            anatomy.open_export(path)
    path = tmp_path / "cut.torchscript"
    path.write_bytes(export_file("yolov8n", PICTURE, kind="torchscript").read_bytes()[:20_000])
    with pytest.raises(anatomy.CheckpointError, match=r"no TorchScript archive, or is cut short"):
        anatomy.open_export(path, trusted=True)


def graph(nodes, shape, out, stored=()):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)]
    made = helper.make_graph(nodes, "graph", inputs, outputs, list(stored))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_graph_that_is_no_detector_is_named_by_its_outputs(tmp_path):
    weight = numpy_helper.from_array(np.ones((10, 3, 1, 1), np.float32), "w")
    classifier = graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"]),
            helper.make_node("GlobalAveragePool", ["c"], ["p"]),
            helper.make_node("Sigmoid", ["p"], ["y"]),
        ],
        [1, 3, 32, 32],
        [1, 10, 1, 1],
        [weight],
    )
    with pytest.raises(anatomy.UnsupportedModelError, match=r"No detector was found.*y \(1, 10, 1, 1\).*behind 4 box"):
        opened(classifier, tmp_path)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"takes one image.*takes x \(1, 10\)"):
        opened(graph([helper.make_node("Sigmoid", ["x"], ["y"])], [1, 10], [1, 10]), tmp_path)


def test_an_opset_that_is_too_new_is_refused_before_anything_runs(copied, tmp_path):
    copied.opset_import[0].version = 999
    with pytest.raises(anatomy.CheckpointError, match=r"opset 999, but onnx .* knows opsets up to \d+.*opset=17"):
        opened(copied, tmp_path)


def test_what_onnxruntime_cannot_run_is_refused_in_its_words(copied, tmp_path):
    copied.ir_version = 99
    with pytest.raises(anatomy.CheckpointError, match=r"onnxruntime .* cannot run .*version.*update onnxruntime"):
        opened(copied, tmp_path)


@pytest.mark.parametrize(("domain", "kind"), [("evil.corp", "Anything"), ("com.microsoft", "EPContext")])
def test_operators_that_need_code_from_elsewhere_are_refused(copied, tmp_path, domain, kind):
    copied.graph.node.append(helper.make_node(kind, ["images"], ["other"], domain=domain))
    with pytest.raises(anatomy.CheckpointError, match=r"not onnxruntime's own \((evil\.corp|compiled code)\)"):
        opened(copied, tmp_path)


def test_rotated_boxes_are_refused_with_the_reason(copied, tmp_path):
    next(entry for entry in copied.metadata_props if entry.key == "task").value = "obb"
    with pytest.raises(anatomy.UnsupportedModelError, match="rotated boxes, which are not read from exports"):
        opened(copied, tmp_path)


def kept_elsewhere(model: onnx.ModelProto, location: str, **more) -> bytes:
    """The model with its largest tensor in another file, of which the content comes back."""
    tensor = max(model.graph.initializer, key=lambda entry: len(entry.raw_data))
    content = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "length": len(content), **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return content


def test_weights_in_a_file_beside_are_taken_in(copied, proto, tmp_path):
    (tmp_path / "deep").mkdir()
    content = kept_elsewhere(copied, "deep/weights.bin", offset=5)
    (tmp_path / "deep" / "weights.bin").write_bytes(b"12345" + content)
    found = anatomy.trace(opened(copied, tmp_path), PICTURE)
    assert found.to_df().equals(anatomy.trace(anatomy.open_export(export_file("yolov8n", PICTURE)), PICTURE).to_df())


def test_weights_that_are_missing_or_cut_short_are_named(copied, tmp_path):
    content = kept_elsewhere(copied, "weights.bin")
    with pytest.raises(anatomy.CheckpointError, match=r"kept in 'weights\.bin', which is missing.*Copy both"):
        opened(copied, tmp_path)
    (tmp_path / "weights.bin").write_bytes(content[:-1])
    with pytest.raises(anatomy.CheckpointError, match=rf"'weights\.bin' is cut short.*{len(content)} bytes from 0"):
        opened(copied, tmp_path)


OUTSIDE = [
    "../secret.bin",
    "deep/../../secret.bin",
    "{folder}/secret.bin",
    "..\\secret.bin",
    "C:\\secret.bin",
    "",
    "link",
]


@pytest.mark.parametrize("location", OUTSIDE)
def test_a_file_outside_of_its_folder_is_never_opened(copied, tmp_path, location, monkeypatch):
    inner = tmp_path / "inner"
    inner.mkdir()
    content = kept_elsewhere(copied, location.format(folder=tmp_path))
    (tmp_path / "secret.bin").write_bytes(content)
    (inner / "link").symlink_to(tmp_path / "secret.bin")
    monkeypatch.setattr(Path, "open", lambda *args, **kwargs: pytest.fail("a file was opened"))
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: open(path, "wb").write(data))  # noqa: SIM115
    monkeypatch.setattr(Path, "read_bytes", lambda path: open(path, "rb").read())  # noqa: SIM115
    with pytest.raises(anatomy.CheckpointError, match=r"files of its own folder alone.*Nothing of it was opened"):
        opened(copied, inner)


def test_a_tensor_deep_in_the_graph_is_found_too(copied, tmp_path):
    value = TensorProto(name="hidden", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    value.external_data.add(key="location", value="../secret.bin")
    branch = helper.make_graph([helper.make_node("Constant", [], ["v"], value=value)], "inner", [], [])
    copied.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch))
    with pytest.raises(anatomy.CheckpointError, match=r"tensor 'hidden' names '\.\./secret\.bin'"):
        opened(copied, tmp_path)


def test_names_are_those_of_the_file_or_of_the_caller(copied, tmp_path):
    given = opened(copied, tmp_path, names=["ball", "box", "star", "ring"])
    assert list(given.names.values()) == ["ball", "box", "star", "ring"]
    entry = next(entry for entry in copied.metadata_props if entry.key == "names")
    entry.value = "{0: 'a', 5: 'b'}"
    with pytest.raises(anatomy.CheckpointError, match=r"must name its classes 0 to 1"):
        opened(copied, tmp_path)
    entry.value = "__import__('os').system('false')"  # is no value, so it is not read
    assert opened(copied, tmp_path).names == {0: "0", 1: "1", 2: "2", 3: "3"}
    with pytest.raises(ValueError, match="names must name the classes 0, 1, 2"):
        opened(copied, tmp_path, names={1: "a"})


def test_a_record_of_edits_that_is_broken_is_named(copied, tmp_path):
    for value in ("{", '{"surgery": {"tensor": "!", "dtype": "float32", "shape": [1]}}', '{"a": {"tensor": ""}}'):
        copied.metadata_props.add(key="workbench", value=value)
        with pytest.raises(anatomy.CheckpointError, match="carries a record of edits that is broken"):
            opened(copied, tmp_path)
        del copied.metadata_props[-1]


def test_law_0_a_torchscript_program_does_not_run_unless_it_is_trusted(tmp_path, monkeypatch):
    path = export_file("yolov8n", PICTURE, kind="torchscript")
    monkeypatch.setattr(torch.jit, "load", lambda *args, **kwargs: pytest.fail("it was loaded"))
    with pytest.raises(anatomy.CheckpointError, match="parts of which may run when it is opened"):
        anatomy.open_export(path)
