"""The network: its shapes, its sizes as published, and the same outputs after its branches are merged."""

import subprocess
import sys

import pytest
import timm
import torch
from torch import nn

from detectors.fastvit import FastViTDetector, NaiveDetector, load, save


def multiply_adds(net: nn.Module, images: torch.Tensor) -> int:
    """Counted as torchinfo does: a convolution's weights and bias at every place, a linear layer's once an image."""
    total = 0

    def count(module, _, output):
        nonlocal total
        places = output.shape[2:].numel() if isinstance(module, nn.Conv2d) else 1
        total += len(output) * places * sum(part.numel() for part in module.parameters())

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        net(images)
    for hook in hooks:
        hook.remove()
    return total


def parameters(net: nn.Module) -> int:
    return sum(part.numel() for part in net.parameters())


def lively(net: nn.Module, seed: int = 0) -> nn.Module:
    """Random statistics and weights in every normalization, so that merging has something to get wrong."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                for part, low, high in (("weight", 0.7, 1.3), ("bias", -0.2, 0.2), ("running_var", 0.5, 1.5)):
                    getattr(module, part).uniform_(low, high, generator=generator)
                module.running_mean.uniform_(-0.2, 0.2, generator=generator)
        for head in net.heads:
            head.classify.weight.normal_(std=0.2, generator=generator)
    return net.eval()


def test_sizes_are_those_of_the_published_detector():
    with torch.device("meta"):
        net = FastViTDetector(10).eval()
        images = torch.empty(1, 3, 512, 512)
        assert parameters(net) == 70_713_094
        assert multiply_adds(net, images) == pytest.approx(46.32e9, rel=1e-3)
        net.reparameterize()
        assert parameters(net) == 25_730_630
        assert multiply_adds(net, images) == pytest.approx(16.91e9, rel=1e-3)


def test_backbone_and_neck_keep_the_same_three_shapes():
    shapes = [(8, 128, 32, 32), (8, 256, 16, 16), (8, 512, 8, 8)]
    with torch.device("meta"):
        net = FastViTDetector(10).eval()
        pyramid = net.features(torch.empty(8, 3, 256, 256))
        assert [tuple(level.shape) for level in pyramid] == shapes
        assert [tuple(level.shape) for level in net.neck(pyramid)] == shapes
        outputs = net(torch.empty(8, 3, 256, 256))
    assert [tuple(level.boxes.shape) for level in outputs] == [(8, 64, *shape[2:]) for shape in shapes]
    assert [tuple(level.classes.shape) for level in outputs] == [(8, 10, *shape[2:]) for shape in shapes]


@pytest.mark.parametrize(("backbone", "branches"), [("fastvit_sa12", 4), ("fastvit_t8", 1)])
def test_merged_branches_give_the_same_outputs(backbone, branches):
    torch.manual_seed(0)
    net = lively(FastViTDetector(10, backbone, branches=branches))
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        before = net(images)
        assert net.reparameterize() is net
        after = net(images)
    assert not any(hasattr(module, "conv_kxk") for module in net.modules())
    for old, new in zip(before, after, strict=True):
        for a, b in zip(old, new, strict=True):
            assert a.std() > 0.01
            assert (a - b).abs().max() < 1e-5


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("kind", [FastViTDetector, NaiveDetector])
def test_a_checkpoint_opens_with_the_restricted_unpickler_and_answers_the_same(tmp_path, kind, merged):
    net = lively(kind(["ball", "box"], "fastvit_t8", branches=1))
    if merged:
        net.reparameterize()
    path = save(net, tmp_path / "net.pt")
    assert set(torch.load(path, weights_only=True)) == {"format", "config", "state"}
    again = load(path)
    assert type(again) is kind
    assert again.names == {0: "ball", 1: "box"}
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert all(torch.equal(a.classes, b.classes) for a, b in zip(net(images), again(images), strict=True))


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no checkpoint"):
        load(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("nothing")
    with pytest.raises(ValueError, match=r"text\.pt' is no torch checkpoint"):
        load(tmp_path / "text.pt")
    torch.save({"state": {}}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"is no checkpoint of this detector.*detectors\.fastvit\.train"):
        load(tmp_path / "other.pt")


def test_wrong_arguments_are_refused_at_the_door():
    with pytest.raises(ValueError, match=r"must be a FastViT of timm \(fastvit_ma36.*'resnet18' was given"):
        FastViTDetector(3, "resnet18")
    with pytest.raises(ValueError, match="At least one class"):
        FastViTDetector([])
    with torch.device("meta"):
        net = FastViTDetector(3, "fastvit_t8", branches=1)
        with pytest.raises(ValueError, match=r"multiples of 32 px, but \(64, 100\)"):
            net(torch.empty(1, 3, 64, 100))


def test_weights_out_of_reach_are_said_to_be(monkeypatch):
    def unreachable(*args, pretrained, **kwargs):
        assert pretrained
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(RuntimeError, match=r"weights of fastvit_t8 could not be fetched.*pretrained=False"):
        FastViTDetector(3, "fastvit_t8", pretrained=True)


def test_weights_of_the_hub_are_taken(monkeypatch):
    def from_the_hub(model, pretrained_cfg, **kwargs):
        with torch.no_grad():
            for value in model.parameters():
                value.fill_(0.125)

    monkeypatch.setattr("timm.models._builder.load_pretrained", from_the_hub)
    model = FastViTDetector(3, "fastvit_t8", pretrained=True)
    assert all((value == 0.125).all() for value in model.backbone.parameters())
    assert not (model.neck.state_dict()[next(iter(model.neck.state_dict()))] == 0.125).all()


def test_the_package_is_loaded_at_its_first_use_alone():
    code = "import sys, detectors; print('torch' in sys.modules); detectors.fastvit.load; print('timm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
