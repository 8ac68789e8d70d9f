"""The description of a network in its checkpoint: what a training may build of it, and what is refused."""

import re

import pytest

from anatomy.families.ultralytics.yaml import check_yaml


def described(*rows, part: str = "backbone", **more) -> dict:
    return {part: list(rows), **more}


def conv(repeats=1, kind="Conv", arguments=(8,)) -> list:
    return [-1, repeats, kind, list(arguments)]


def deep(depth: int) -> dict:
    value: list = []
    for _ in range(depth):
        value = [value]
    return {"extra": value}


@pytest.mark.parametrize(
    "yaml",
    [
        None,
        {},
        {"backbone": None, "head": []},
        described(conv(), conv(100), conv(kind="nn.Conv2d"), conv(kind="Conv2d"), (-1, 1, "Conv", (8,)), part="head"),
        described(conv(arguments=["a" * 60, None, True, 16384, -16384, 0.5])),
        {"nc": 16384, 16384: -16384.0, "text": "x" * 1000},
        {"many": [1] * 100_000},
        deep(6),
        *({"activation": text} for text in ("", None, "nn.ReLU()", " nn.SiLU() ", "torch.nn.LeakyReLU(0.1)")),
        *({"activation": text} for text in ("nn.Threshold(100, -100)", "nn.Softmax(dim=1)", "nn.ReLU(inplace=True)")),
    ],
    ids=lambda yaml: repr(yaml)[:50],
)
def test_a_genuine_description(yaml):
    check_yaml(yaml, ValueError)


class Text(str):
    """A text that is more than one."""


@pytest.mark.parametrize(
    ("yaml", "why"),
    [
        ([], "describes its network by no dictionary"),
        ({"nc": 16385}, "describes its network with the number 16385"),
        ({"nc": [-16385]}, "describes its network with the number -16385"),
        ({16385: 1}, "describes its network with the number 16385"),
        ({"nc": float("nan")}, "describes its network with the number nan"),
        ({"many": [1] * 100_001}, "describes its network with more than a network can need"),
        (deep(7), "describes its network with more than a network can need"),
        ({"backbone": {"a": 1}}, "describes the backbone of its network by no list"),
        ({"head": (1,)}, "describes the head of its network by no list"),
        (described(conv()[:3]), "describes a layer of its network otherwise than by four values"),
        (described([*conv(), 1], part="head"), "describes a layer of its network otherwise than by four values"),
        (described("Conv"), "describes a layer of its network otherwise than by four values"),
        (described([-1, 1, "Conv", "8"]), "describes a layer of its network otherwise than by four values"),
        (described(conv(kind="Eval")), "names 'Eval' as a layer"),
        (described(conv(kind="y" * 61)), f"names {'y' * 60!r} as a layer"),
        (described(conv(kind=Text("Conv"))), "names 'Conv' as a layer"),
        (described(conv(kind=5)), "names 'int' as a layer"),
        (described(conv(kind="TorchVision")), "names 'TorchVision' as a layer"),
        (described(conv(kind="nn.TorchVision")), "names 'nn.TorchVision' as a layer"),
        (described(conv(kind="DetectionModel")), "names 'DetectionModel' as a layer"),
        (described(conv(0)), "repeats a Conv other than 1 to 100 times"),
        (described(conv(101)), "repeats a Conv other than 1 to 100 times"),
        (described(conv(True)), "repeats a Conv other than 1 to 100 times"),
        (described(conv(arguments=["a" * 61])), f"gives a Conv the argument {'a' * 60!r}"),
        (described(conv(arguments=["a/b"])), "gives a Conv the argument 'a/b'"),
        (described(conv(arguments=[1, "a\nb"])), r"gives a Conv the argument 'a\nb'"),
        ({"activation": "x" * 70}, f"names {repr('x' * 70)[:60]} as activation"),
        ({"activation": b"nn.ReLU()"}, "names b'nn.ReLU()' as activation"),
        ({"activation": 5}, "names a int as activation"),
        *(
            ({"activation": text}, f"names {text!r} as activation")
            for text in (
                "ReLU()",
                "nn.ReLU",
                "os.ReLU()",
                "nn.functional.relu()",
                "nn.ReLU(x)",
                "nn.Threshold(101, 1)",
                "nn.Softmax(dim=-101)",
                "nn.Softmax(dim='a')",
                "nn.MultiheadAttention(8, 1)",
                "nn.Conv2d(1, 1, 1)",
                "nn.Nothing()",
                "nn.ReLU() +",
            )
        ),
        ({"activation": Text("nn.ReLU()")}, "names 'nn.ReLU()' as activation"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_description_of_more_than_layers(yaml, why):
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        check_yaml(yaml, ValueError)
