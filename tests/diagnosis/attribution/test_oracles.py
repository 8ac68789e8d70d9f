"""Maps against pytorch-grad-cam, and the curves against Quantus, where these are installed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import diagnosis
from diagnosis.attribution.perturbation_frame import emptied, whole
from diagnosis.attribution.presence import presences

from .patch_net import RedNet, red_patch, red_trace

SIDE, STEPS = 64, 4
EVERY = SIDE**2 // STEPS**2  # px between two points of Quantus' curve: shares of (k / STEPS)² are all among them


@pytest.fixture(scope="module")
def trace():
    """Of a network with some noise in every weight, whose maps are therefore no trivial ones."""
    torch.manual_seed(3)
    net = RedNet()
    with torch.no_grad():
        for conv in (net.stem, *net.down, *net.head):
            conv.weight.add_(0.2 * conv.weight.abs().max() * torch.randn_like(conv.weight))
    return red_trace(red_patch((SIDE, SIDE), (30, 36), 20)[0], 0, imgsz=SIDE, net=net)


@pytest.mark.parametrize(
    ("method", "theirs"), [("gradcam", "GradCAM"), ("gradcam++", "GradCAMPlusPlus"), ("layercam", "LayerCAM")]
)
def test_class_activation_maps_are_those_of_pytorch_grad_cam(trace, method, theirs):
    library = pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed")
    made = diagnosis.attribute(trace, 0, method)
    one = made.subject
    head = nn.Sequential(nn.Identity(), trace.head.net.head[one.level])
    maps = trace.inputs[one.level][None].clone().requires_grad_()
    with getattr(library, theirs)(head, [head[0]]) as explain:
        found = explain(maps, [lambda logits: logits[one.class_id, one.row, one.col]])[0]
    low, high = made.heat.grid.min(), made.heat.grid.max()
    assert high > low >= 0
    np.testing.assert_allclose((made.heat.grid - low) / (high - low), found, atol=1e-4)  # which is scaled to [0, 1]


class Presence(nn.Module):
    """What is left of a detection, as the one class of a classifier."""

    def __init__(self, subject):
        super().__init__()
        self.held = presences([subject])

    def forward(self, frames):
        return self.held(frames).T


@pytest.mark.parametrize("name", ["deletion", "insertion"])
def test_curves_are_those_of_pixel_flipping_in_quantus(trace, name):
    quantus = pytest.importorskip("quantus", reason="quantus is not installed")
    order = np.random.default_rng(0).permutation(SIDE**2).reshape(SIDE, SIDE).astype(np.float32)
    made = diagnosis.attribute(trace, 0, "box fill")
    made = replace(made, heat=replace(made.heat, grid=order))
    ours = diagnosis.faithfulness(made, ("curves",), steps=STEPS, replace="black").curves
    photo, black = (frame.numpy() for frame in (whole(trace), emptied(trace, "black")))
    first, last = (photo, black) if name == "deletion" else (black, photo)

    def put(arr, indices, **_):
        changed = arr.copy()
        changed[:, indices[0]] = last.reshape(1, -1)[:, indices[0]]
        return changed

    metric = quantus.PixelFlipping(
        features_in_step=EVERY, normalise=False, perturb_func=put, disable_warnings=True
    )  # a feature is a channel of a px: three steps are EVERY px
    classifier = Presence(made.subject).eval()
    theirs = metric(classifier, first, np.array([0]), order[None, None], softmax=False, channel_first=True)[0]
    kept = np.concatenate(([float(classifier(torch.from_numpy(first))[0, 0])], theirs))
    places = (np.arange(STEPS + 1) / STEPS) ** 2 * SIDE**2 / EVERY * 3
    np.testing.assert_allclose(getattr(ours, name), kept[places.astype(int)] / ours.whole, rtol=1e-4)
