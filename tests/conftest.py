"""Shared by all tests: nothing written to a home, one thread, small random networks, real data where it is at hand."""

import os
import tempfile
from pathlib import Path

os.environ["YOLO_OFFLINE"] = "1"
os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp(prefix="yolo-config-")
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch

torch.set_num_threads(1)

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder with COCO-trained weights and photographs, beside the checkout (or $WORKBENCH_REAL)."""
    folder = Path(os.environ.get("WORKBENCH_REAL", ROOT.parent / "shared" / "real"))
    if not (folder / "weights" / "yolov8n_coco.pt").exists():
        pytest.skip(f"no real weights and photographs at {folder} (set WORKBENCH_REAL to point to them)")
    return folder


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A (128, 192, 3) uint8 BGR image with some structure; both sides are multiples of every stride up to 64."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 255, (8, 12, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    return np.ascontiguousarray((coarse * 0.7 + rng.integers(0, 76, coarse.shape)).astype(np.uint8))


@pytest.fixture(scope="session")
def build():
    """A factory of YOLO objects with random weights whose class rows are scaled so that they detect something."""
    from ultralytics import YOLO

    def make(name: str, picture: np.ndarray, seed: int = 0, **predict_args):
        torch.manual_seed(seed)
        model = YOLO(f"{name}.yaml")
        net = model.model.eval()
        generator = torch.Generator().manual_seed(seed)
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                with torch.no_grad():
                    module.weight.copy_(1 + 0.3 * torch.randn(module.weight.shape, generator=generator))
                    module.bias.copy_(0.3 * torch.randn(module.bias.shape, generator=generator))
        frame = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
        for branch in ("cv3", "one2one_cv3"):
            convs = [level[-1] for level in getattr(net.model[-1], branch, None) or ()]
            _calibrate(net, frame, convs, generator)
        return model

    return make


def _calibrate(net, frame, convs, generator, share: float = 0.15) -> None:
    """Random class rows of unit scale, and biases such that about ``share`` of the cells of a level exceed 0.25."""
    caught = {}
    hooks = [
        conv.register_forward_pre_hook(lambda module, inputs, level=level: caught.__setitem__(level, inputs[0]))
        for level, conv in enumerate(convs)
    ]
    with torch.no_grad():
        net(frame)
        for hook in hooks:
            hook.remove()
        for level, conv in enumerate(convs):
            spread = caught[level].std() * conv.in_channels**0.5 + 1e-6
            conv.weight.copy_(2 * torch.randn(conv.weight.shape, generator=generator) / spread)
            conv.bias.copy_(0.5 * torch.randn(conv.bias.shape, generator=generator))
            best = conv(caught[level]).amax(1).flatten()
            conv.bias.sub_(best.quantile(1 - share) + 1.1)


@pytest.fixture(scope="module")
def traced(build, picture):
    """A function from a case of ``tests.families`` to its trace of the picture, made once a test file."""
    import anatomy

    made = {}

    def make(case=("yolov8n", None, False)):
        if case not in made:
            name, nms, fused = case
            model = build(name, picture)
            if nms is False:
                model.model.end2end = True
            if fused:
                model.fuse()
            made[case] = anatomy.trace(model, picture, imgsz=192, **({} if nms is None else {"nms": nms}))
        return made[case]

    return make
