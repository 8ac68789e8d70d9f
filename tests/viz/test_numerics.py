"""The picture of scales: what is drawn where, for one pass, for many, and for what is not finite."""

import itertools

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn

import viz
from diagnosis import numerics


def network(count: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(6, 6), nn.ReLU()) for _ in range(count)))


def followed(lr: float, count: int = 6, steps: int = 8):
    optimizer = lambda weights: torch.optim.SGD(weights, lr=lr)  # noqa: E731
    loss = lambda out: (out - 1).square().sum()  # noqa: E731
    return numerics(network(count), torch.rand(4, 6), loss, steps=steps, optimizer=optimizer, progress=False)


def drawn(figure, gid: str):
    return next(artist for artist in figure.findobj() if artist.get_gid() == gid)


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def test_steps_make_a_heatmap_of_logarithms():
    result = followed(1e-3)
    figure = viz.numerics(result)
    image = drawn(figure, "scale:output").get_array()
    assert image.shape == (len(result.layers), len(result))
    assert pytest.approx(np.log10(result.forward.rms)) == np.ma.filled(image, 0).T
    assert "infinity" not in texts(figure) and "NaN" not in texts(figure)


def test_what_is_not_finite_is_marked_and_the_first_layer_named():
    result = followed(1e3)
    figure = viz.numerics(result)
    marks = np.ma.filled(drawn(figure, "non-finite:output").get_array(), np.nan)
    assert ((result.forward.non_finite > 0) == np.isfinite(marks).T).all() and np.isfinite(marks).any()
    assert any("first non-finite" in text for text in texts(figure))
    assert any("runs away" in text for text in texts(figure))
    assert "NaN" in texts(figure) and str(result.first_non_finite) in " ".join(texts(figure)).replace("\n", " ")


def test_one_pass_makes_a_profile():
    result = numerics(network(5), torch.rand(4, 6))
    figure = viz.numerics(result)
    line = drawn(figure, "rms:gradient")
    assert line.get_xdata() == pytest.approx(result.backward.rms[0])
    assert figure.axes[0].get_xscale() == "log" and figure.axes[0].get_ylim() == (9.5, -0.5)


@pytest.mark.parametrize("count", [2, 20, 100])
@pytest.mark.parametrize("lr", [1e-3, 1e3])
def test_names_do_not_overlap(count, lr):
    figure = viz.numerics(followed(lr, count, steps=5))
    figure.draw_without_rendering()
    labels = [label for label in figure.axes[2].get_yticklabels() if label.get_text()]
    marks = [text for ax in figure.axes for text in ax.texts]
    hulls = [text.get_window_extent().padded(-1) for text in (*labels, *marks)]
    assert labels and not any(one.overlaps(two) for one, two in itertools.combinations(hulls, 2))


def test_at_most_so_many_arrows_are_drawn():
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(8)))
    with torch.no_grad():
        for layer in net:
            layer.weight.mul_(50)
    figure = viz.numerics(numerics(net, torch.rand(2, 4)), most=3)
    assert sum(len(ax.texts) for ax in figure.axes if not ax.axison) == 3
    assert any("left out" in text for text in texts(figure))
