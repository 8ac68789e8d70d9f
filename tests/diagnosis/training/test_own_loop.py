"""A loop of one's own, one block a step: the detectors' trainings, and a gradient that breaks on its way back."""

import pytest
import torch
from torch import nn

import diagnosis
from detectors.fastvit.training.run import Options, Run
from detectors.pafpn import criterion, draw_batches, half_width, learn
from detectors.pyramid.data import Batch


@pytest.fixture(scope="module")
def batches():
    return draw_batches(half_width(), 3, images=2, side=64)


def test_the_pafpn_training_is_watched_and_learns_the_same(batches):
    plain_net, net = half_width(), half_width()
    plain = list(learn(plain_net, batches))
    watch = diagnosis.watch(net, every=2)
    watched = list(learn(net, batches, watch))
    watch.close()
    assert watch.error is None
    assert plain == watched
    assert all(map(torch.equal, plain_net.state_dict().values(), net.state_dict().values()))
    assert watch.batches["step"].to_list() == [0, 2]
    assert watch.batches["loss"].to_list() == pytest.approx([watched[0]["total"], watched[2]["total"]])
    items = watch.levels.select("step", "boxes", "classes", "objectness").group_by("step", maintain_order=True).sum()
    whole = items["boxes"] + items["classes"] + items["objectness"]
    assert whole.to_list() == pytest.approx(watch.batches["loss"].to_list(), rel=1e-5)
    assert (watch.levels.filter(level=0)["grad_class"] > 0).all()
    assert watch.levels["activation"].null_count() == 0
    assert watch.path is None
    assert "loss" not in vars(net)
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_the_fastvit_training_is_watched(batches, tmp_path):
    options = Options("fastvit_t8", branches=1, naive=False, pretrained=False, imgsz=64, epochs=1, batch=2, seed=0)
    run = Run(options, ("a", "b", "c"), 2)
    images, wanted = batches[0]
    watch = diagnosis.watch(run.model, every=1, out=tmp_path / "rows")
    losses = run.learn(Batch(images, tuple(wanted), (), ()), watch)
    watch.close()
    assert watch.error is None
    read = diagnosis.read_watch(tmp_path / "rows")
    assert read.batches["loss"].to_list() == pytest.approx([losses["total"]])
    assert read.levels["level_name"].to_list() == ["P3", "P4", "P5"]
    assert read.batches["grad_backbone"][0] > 0 and read.batches["grad_neck"][0] > 0
    assert (read.levels["grad_box"] > 0).any()


class Root(nn.Module):
    """Finite on its way forward; the gradient of a root is infinite at zero."""

    def forward(self, x):
        return x + 0 * x.square().sqrt()


def test_a_gradient_that_breaks_on_its_way_back_is_named_and_replayed_by_numerics(batches, tmp_path):
    net = half_width()
    at = next(name for name, _ in net.named_children())
    inner = getattr(net, at)
    setattr(net, at, nn.Sequential(nn.Conv2d(3, 3, 1), Root(), inner) if callable(inner) else inner)
    net.eval()  # of the pass nothing depends on it
    with pytest.raises(ValueError, match="read from a folder watches nothing"), diagnosis.Watch().step():
        pass
    watch = diagnosis.watch(net, every=10, out=tmp_path / "rows", loss=criterion)
    images, wanted = batches[0]
    with torch.no_grad():
        getattr(net, at)[0].weight.zero_()
        getattr(net, at)[0].bias.zero_()
    for _ in range(2):
        net.zero_grad()
        with watch.step(images, wanted) as step:
            step.tell(net.loss(net(images), wanted).total).backward()
    watch.close()
    assert watch.error is None
    (finding,) = [one for one in watch.findings if one.code == "non_finite"]
    assert finding.evidence["direction"] == "backward"
    assert finding.evidence["began"] == 0
    (kept,) = watch.broken
    again = kept.replay(net, criterion)
    assert again.first_non_finite.name == finding.evidence["layer"]
    assert again.first_non_finite.direction == "backward"


def test_a_step_that_raises_leaves_nothing_on_the_network(batches):
    net = half_width()
    watch = diagnosis.watch(net, every=1)
    with pytest.raises(KeyboardInterrupt), watch.step():
        raise KeyboardInterrupt
    assert "loss" not in vars(net)
    assert not any(module._forward_pre_hooks for module in net.modules())
    assert len(watch) == 0


def test_a_loss_that_is_not_finite_is_told_without_a_function_to_replay_it(batches, tmp_path):
    net = half_width()
    watch = diagnosis.watch(net, every=10, out=tmp_path / "rows")
    images, wanted = batches[0]
    for given in ((), (images, wanted)):
        with watch.step(*given) as step:
            step.tell(net.loss(net(images), wanted).total * float("nan")).backward()
        net.zero_grad()
    assert watch.error is None
    (finding,) = [one for one in watch.findings if one.code == "non_finite"]
    assert finding.evidence["began"] == 0 and finding.evidence["layer"] is None
    assert "watch(model, loss=…)" in finding.message


def test_a_closed_watch_takes_no_steps_and_keeps_its_rows(batches, tmp_path):
    net = half_width()
    images, wanted = batches[0]
    watch = diagnosis.watch(net, every=1, out=tmp_path / "rows")
    with watch.step(images, wanted) as step:
        step.tell(net.loss(net(images), wanted).total).backward()
    watch.close()
    with pytest.raises(ValueError, match="is closed"), watch.step():
        pass
    assert len(watch) == 1
    with pytest.raises(FileExistsError, match="holds a watch"):
        diagnosis.watch(net, out=tmp_path / "rows")
    assert len(diagnosis.read_watch(tmp_path / "rows")) == 1


def test_gradients_of_a_scaler_are_freed_of_its_scale_and_may_overflow(batches):
    """Gradients that are infinite while the scaler looks for a scale are no fault, whether it unscales or not."""
    net, scaler = half_width(), torch.amp.GradScaler("cpu", init_scale=2.0**127)  # the largest of float32
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    images, wanted = batches[0]
    watch = diagnosis.watch(net, every=1)
    for clip in (False, False, True):
        optimizer.zero_grad()
        with watch.step(images, wanted, scaler=scaler) as step:
            scaler.scale(step.tell(net.loss(net(images), wanted).total)).backward()
            if clip:
                scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update(2.0**10)
    watch.close()
    assert watch.error is None and watch.findings == ()
    first, second, third = watch.batches["grad"].to_list()
    assert not first < float("inf") and second == pytest.approx(third, rel=1e-5)
    assert watch.batches["scale"].to_list() == [2.0**127, 2.0**10, None]
    net.zero_grad()
    net.loss(net(images), wanted).total.backward()
    plain = torch.stack([weight.grad.norm() for weight in net.parameters() if weight.grad is not None]).norm()
    assert second == pytest.approx(plain.item(), rel=1e-3)
    with pytest.raises(TypeError, match=r"GradScaler, or None, but 2\.0 was given"), watch.step(scaler=2.0):
        pass


def test_a_loop_under_autocast_is_watched(batches):
    net = half_width()
    images, wanted = batches[0]
    watch = diagnosis.watch(net, every=1, loss=criterion)
    with watch.step(images, wanted) as step:
        with torch.autocast("cpu", torch.bfloat16):
            loss = net.loss(net(images), wanted).total
        step.tell(loss).backward()
    watch.close()
    assert watch.error is None and watch.findings == ()
    assert watch.batches["loss"].to_list() == pytest.approx([loss.item()])
    assert watch.levels["activation"].null_count() == 0
    items = watch.levels.select("boxes", "classes", "objectness").sum()
    assert sum(items.row(0)) == pytest.approx(loss.item(), rel=0.02)  # of bfloat16


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_compiled_network_is_watched_but_for_what_the_head_reads(batches, wrapped, monkeypatch):
    """No hook is laid on modules that run compiled: it would be compiled in, and stay, or be ignored."""
    net = half_width()
    if wrapped:
        compiled = torch.compile(net, backend="eager")
    else:
        compiled = net
        monkeypatch.setattr(net, "_compiled_call_impl", net._call_impl)  # as net.compile() leaves it
    images, wanted = batches[0]
    watch = diagnosis.watch(compiled, every=1, loss=criterion)
    with watch.step(images, wanted) as step:
        assert not any(module._forward_pre_hooks for module in net.modules())
        step.tell(net.loss(net(images), wanted).total).backward()
    if not wrapped:  # a batch that breaks is passed again layer by layer, and the network is left compiled
        with watch.step(images, wanted) as step:
            step.tell(net.loss(net(images), wanted).total * float("nan")).backward()
    watch.close()
    assert watch.error is None
    assert watch.levels["activation"].null_count() == len(watch.levels) > 0
    assert watch.batches["grad"][0] > 0 and watch.levels["positives"].sum() > 0
    assert [finding.code for finding in watch.findings] == ([] if wrapped else ["non_finite"])
    assert (net._compiled_call_impl is None) == wrapped
