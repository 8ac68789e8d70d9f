"""One pass that can be differentiated: the same network on the same input, and nothing left behind."""

import copy

import pytest
import torch
from torch import nn

from anatomy import Outputs, describe
from anatomy.errors import UnsupportedModelError
from anatomy.tracing.gradient import differentiate, differentiate_pass
from tests.contract.own_detector import TwoLevels, TwoLevelsHead

ARGS = {"conf": 0.5, "iou": 0.7, "imgsz": 192}


class Runnable(TwoLevels):
    """The foreign detector with a forward(), as networks have one; ``shared``: one class convolution for all levels."""

    def __init__(self, shared: bool = False):
        super().__init__()
        self.add = nn.Parameter(torch.zeros(()))
        if shared:
            self.cls[1] = self.cls[0]

    def describe_head(self):
        return RunnableHead(self)

    def forward(self, frame):
        fine = self.stem(frame + self.add).relu()
        return [conv(level) for conv, level in zip(self.cls, (fine, self.down(fine).relu()), strict=True)]


class RunnableHead(TwoLevelsHead):
    def passes(self, source, **predict_args):
        frame = torch.from_numpy(source[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
        for run in super().passes(source, **predict_args):
            yield run.evolve(frame=frame)

    def forward(self, images, branch):
        return Outputs((), tuple(self.net(images)), ())


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Runnable()


def hooks(net):
    return [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules()]


@pytest.mark.parametrize("shared", [False, True])
def test_the_gradient_is_that_of_the_network(picture, shared):
    torch.manual_seed(0)
    net = Runnable(shared)
    view = differentiate(net, picture, **ARGS)
    assert all(torch.equal(made, given) for made, given in zip(view.logits, view.run.logits, strict=True))
    for level, class_id in ((0, 2), (1, 4), (1, None)):
        frame = view.pixels.detach().clone().requires_grad_()
        logits = net(frame)[level][0, :, 3, 4]
        wanted = torch.autograd.grad(logits.max() if class_id is None else logits[class_id], frame)[0][0]
        assert torch.allclose(view.gradient(level, 3, 4, class_id), wanted)
    seen = view.gradient(0, 3, 4).abs().sum(0)
    inside = seen[3 * 8 - 1 : 3 * 8 + 2, 4 * 8 - 1 : 4 * 8 + 2]  # kernel 3, stride 8, padding 1
    assert inside.count_nonzero() == seen.count_nonzero() == 9


@pytest.mark.parametrize(
    ("name", "fused", "nms"),
    [("yolov8n", False, None), ("yolov8n", True, None), ("yolov10n", False, None), ("yolo26n", False, False)],
)
def test_ultralytics_heads_have_gradients_on_the_branch_that_ran(build, picture, name, fused, nms):
    model = build(name, picture)
    if fused:
        model.fuse()
    view = differentiate(model, picture, **ARGS, **({} if nms is None else {"nms": nms}))
    assert view.run.branch == ("one2one" if nms is False else "one2many")
    for level, (rows, cols) in enumerate(view.run.shapes):
        assert torch.allclose(view.logits[level], view.run.logits[level], rtol=1e-3, atol=2e-3)
        seen = view.gradient(level, rows // 2, cols // 2)
        assert seen.shape == (3, *view.run.input_shape)
        assert torch.isfinite(seen).all() and seen.abs().sum() > 0


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind(net, picture, fails):
    net.train()
    net.down.eval()
    net.stem.weight.requires_grad_(False)
    net.add.grad = torch.ones(())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    wanted = [parameter.requires_grad for parameter in net.parameters()]
    counts, every = hooks(net), dict(nn.modules.module._global_forward_pre_hooks)
    if fails:
        net.forward = lambda frame: net.missing(frame)
        with pytest.raises(AttributeError, match="missing"):
            differentiate(net, picture, **ARGS)
    else:
        view = differentiate(net, picture, **ARGS)
        view.gradient(1, 2, 2)
    assert [module.training for module in net.modules()] == modes
    assert [parameter.requires_grad for parameter in net.parameters()] == wanted
    assert [parameter.grad for parameter in net.parameters() if parameter is not net.add] == [None] * (len(wanted) - 1)
    assert net.add.grad == 1
    assert hooks(net) == counts
    assert dict(nn.modules.module._global_forward_pre_hooks) == every
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_weights_made_in_inference_mode_are_followed_too(net, picture):
    wanted = differentiate(net, picture, **ARGS).gradient(1, 3, 4)
    with torch.inference_mode():
        frozen = copy.deepcopy(net)
    assert all(parameter.is_inference() for parameter in frozen.parameters())
    assert torch.allclose(differentiate(frozen, picture, **ARGS).gradient(1, 3, 4), wanted)
    assert all(parameter.is_inference() for parameter in frozen.parameters())


@pytest.mark.parametrize(("turn", "place"), [(lambda x: x.roll(1, 2), (3, 3)), (lambda x: x.flip(1), (12, 4))])
def test_a_cell_is_followed_to_where_its_logits_were_made(net, picture, turn, place):
    class Turned(RunnableHead):
        def passes(self, *args, **kwargs):
            for run in super().passes(*args, **kwargs):
                yield run.evolve(logits=tuple(map(turn, run.logits)))

    plain, turned = differentiate(net, picture, **ARGS), differentiate(Turned(net), picture, **ARGS)
    assert plain.place(0, 3, 4) == (3, 4)
    assert turned.place(0, 3, 4) == place
    assert torch.equal(turned.gradient(0, 3, 4), plain.gradient(0, *place))


def test_what_cannot_be_followed_is_refused(net, picture):
    class Changed(RunnableHead):
        def passes(self, *args, **kwargs):
            for run in super().passes(*args, **kwargs):
                yield run.evolve(logits=tuple(level.sin() * 5 for level in run.logits))

    with pytest.raises(UnsupportedModelError, match="changed after it"):
        differentiate(Changed(net), picture, **ARGS).gradient(0, 3, 4)
    with pytest.raises(UnsupportedModelError, match=r"TwoLevels does not say how to run its network.*forward"):
        differentiate(TwoLevels(), picture, **ARGS)
    finished = differentiate(net, picture, **ARGS).run
    with pytest.raises(UnsupportedModelError, match=r"float16, in which gradients vanish.*float\(\)"):
        differentiate(net.half(), picture, **ARGS)
    with pytest.raises(UnsupportedModelError, match=r"float16, in which gradients vanish.*float\(\)"):
        differentiate_pass(describe(net), finished)
