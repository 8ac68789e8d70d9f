"""Saved models whose classes were made others, where Ultralytics is alone: predict, validate, train, export to ONNX."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

import surgery
from tests.contract.rows import PICTURE, blocks
from tests.surgery.structure.heads import ARGS, head_of
from tests.surgery.structure.test_class_files import EDITS

PROGRAM = """
import json, sys
import numpy as np, onnxruntime, torch
from ultralytics import YOLO

torch.set_num_threads(1)
data, folder, *paths = sys.argv[1:]
image, frame = np.load(folder + "/image.npy"), torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
asked = dict(data=data, imgsz=64, batch=2, workers=0, plots=False, verbose=False, project=folder, device="cpu")
for path in paths:
    found = YOLO(path).predict(image, verbose=False, imgsz=128, conf=0.05)[0]
    told = {"names": list(found.names.values()), "boxes": found.boxes.data.tolist()}
    told["map"] = float(YOLO(path).val(**asked).box.map)
    file = YOLO(path).export(format="onnx", imgsz=64, simplify=False, verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    exported = session.run(None, {session.get_inputs()[0].name: frame.numpy()})[0]
    with torch.no_grad():
        wanted = YOLO(path).model.eval()(frame)[0][0]
    told["apart"], told["shape"] = float((torch.from_numpy(exported) - wanted).abs().max()), list(exported.shape)
    trained = YOLO(path)
    trained.train(epochs=1, amp=False, optimizer="SGD", lr0=0.0, warmup_epochs=0, **asked)
    rows = [YOLO(path).model.model[-1].cv3[0][-1], trained.model.model[-1].cv3[0][-1]]
    apart = (rows[0].weight.float() - rows[1].weight.float()).abs().max()
    told["rows apart"] = float(apart / rows[0].weight.abs().max())
    told["trained"] = [list(trained.names.values()), trained.model.model[-1].nc]
    told["ours"] = sorted({name.split(".")[0] for name in sys.modules} & {"anatomy", "surgery", "detectors", "viz"})
    print("told", json.dumps(told))
"""


def labelled(folder: Path, names: list[str]) -> Path:
    """The YAML of two pictures, an object on each, of these classes."""
    for part in ("images", "labels"):
        (folder / part).mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), blocks(64, 64, number))
        outline = "0.2 0.2 0.7 0.2 0.7 0.8 0.2 0.8"  # a polygon, as a head of masks needs
        (folder / "labels" / f"{number}.txt").write_text(f"{number} {outline}\n")
    path = folder / "data.yaml"
    parts = {"path": str(folder), "train": "images", "val": "images", "names": dict(enumerate(names))}
    path.write_text(yaml.safe_dump(parts))
    return path


@pytest.mark.long
def test_ultralytics_alone_does_with_them_what_it_does_with_any(tmp_path):
    model = head_of("yolov8n-seg")
    np.save(tmp_path / "image.npy", PICTURE)
    paths, names, wanted = [], [], []
    for name in ("merged", "stacked"):
        with surgery.scratch(model):
            EDITS[name](model)
            surgery.keep_classes(model, range(3))
            paths.append(str(surgery.save(model, tmp_path / f"{name}.pt")))
            names.append(list(model.names.values()))
            wanted.append(model.predict(PICTURE, verbose=False, **ARGS)[0].boxes.data)
    data = labelled(tmp_path, ["a", "b", "c"])
    command = [sys.executable, "-I", "-c", PROGRAM, str(data), str(tmp_path), *paths]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("told")]
    for line, own, boxes in zip(lines, names, wanted, strict=True):
        told = json.loads(line.removeprefix("told"))
        assert told["names"] == own and told["ours"] == []
        assert told["trained"] == [["a", "b", "c"], 3]
        assert torch.equal(torch.tensor(told["boxes"]), boxes)
        assert told["rows apart"] < 1e-3  # a training begins at the rows, and its file holds float16
        assert 0 <= told["map"] <= 1
        assert told["shape"][1] == 4 + 3 + 32
        assert told["apart"] < 1e-3  # px of boxes; scores are below 1e-5
