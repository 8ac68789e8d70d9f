"""What cannot be measured is refused, with what the rule is and what to do."""

import numpy as np
import pytest
import torch
from torch import nn

from diagnosis import numerics
from tests.diagnosis.scales.test_numerics import ONES, linear

BAD = {
    "loss is no scalar": (lambda: numerics(linear(1.0), ONES, lambda out: out), r"scalar tensor, .*shape \(2, 4\)"),
    "loss is a number": (lambda: numerics(linear(1.0), ONES, lambda out: out.sum().item()), "scalar tensor, but float"),
    "no gradient": (lambda: numerics(linear(1.0), ONES, lambda out: out.detach().sum()), "needs no gradient"),
    "type": (lambda: numerics(linear(1.0), ONES.half()), r"input is torch.float16, but the model torch.float32"),
    "device": (lambda: numerics(linear(1.0), ONES.to("meta")), "input is on meta, but the model on cpu"),
    "array": (lambda: numerics(linear(1.0), np.ones(4)), "from_numpy"),
    "no model": (lambda: numerics("yolov8n.pt", ONES), "model must be a torch.nn.Module"),
    "no optimizer": (lambda: numerics(linear(1.0), ONES, steps=1), "Steps need an optimizer"),
    "other optimizer": (
        lambda: numerics(linear(1.0), ONES, steps=1, optimizer=torch.optim.SGD(linear(1.0).parameters())),
        "none of this model",
    ),
    "negative": (lambda: numerics(linear(1.0), ONES, steps=-1), "steps must be 0 or more"),
    "empty": (lambda: numerics(linear(1.0), []), "At least one batch"),
    "triple": (lambda: numerics(linear(1.0), [(ONES, 1, 2)]), r"pair \(input, targets\), but one of 3"),
    "lazy": (lambda: numerics(nn.LazyLinear(3), ONES), "has no shape yet"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_at_the_door(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_model_that_fails_names_the_layer():
    net = nn.Sequential(nn.Sequential(linear(1.0), nn.Linear(3, 3)))
    with pytest.raises(RuntimeError, match=r"fails in '0\.1' \(Linear\), given \(2, 4\)"):
        numerics(net, ONES)
