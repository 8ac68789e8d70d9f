"""Ultralytics' objects as their sources describe them to a reader: what they set, but do not declare.

Nothing is made of these classes. An object that was looked at is cast to one of them where it comes in.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol, cast

from torch import Tensor, nn
from ultralytics.engine.model import Model
from ultralytics.engine.results import Results
from ultralytics.nn.modules.head import Detect, RTDETRDecoder
from ultralytics.nn.tasks import BaseModel

Branch = Mapping[str, Sequence[nn.Sequential]]  # "box_head" and "cls_head" of one branch, a stack a level
Stream = Generator[Results, None, None]  # the results of a source, one an image


class DetectHead(Detect):
    """A detection head with levels, the last layer of a network."""

    stride: Tensor  # (nl,) px
    end2end: bool


class Network(BaseModel):
    """A network with the attributes that building or loading it gives it."""

    model: nn.Sequential
    stride: Tensor
    names: dict[int, str]
    args: Any  # a mapping or a namespace of settings
    task: str | None
    pt_path: str


class Predictor(Protocol):
    """A ``BasePredictor``, set up or not; ``args`` is the namespace of its settings."""

    args: Any
    model: Any  # an AutoBackend; None before it is set up
    batch: Any
    done_warmup: bool
    seen: int
    _lock: Any

    def postprocess(self, preds: Any, img: Any, orig_imgs: Any, **kwargs: Any) -> list[Results]:
        """One result an image."""
        ...

    def construct_result(self, *args: Any) -> Results:
        """The result of one image."""
        ...

    def __call__(self, source: Any = None, model: Any = None, stream: bool = False) -> "Stream":
        """The results of a source."""
        ...


class Yolo(Model):
    """A YOLO object that holds a network, or the path of an exported file."""

    model: Any
    predictor: Predictor | None
    ckpt: dict[str, Any] | None
    callbacks: dict[str, list]
    model_name: str


def last_conv(stack: nn.Module) -> nn.Conv2d:
    """The convolution at the end of one level's stack."""
    *_, last = cast(nn.Sequential, stack)  # much quicker than an index, and asked for often
    return cast(nn.Conv2d, last)


def detection_head(net: nn.Module) -> DetectHead:
    """The last layer of a network that is known to end in a detection head."""
    return cast(DetectHead, cast(Network, net).model[-1])


class QueryDecoder(RTDETRDecoder):
    """RT-DETR's head, the last layer of its network."""

    decoder: Any  # a DeformableTransformerDecoder: its layers, and which of them predicts (eval_idx)
    enc_score_head: nn.Linear
    dec_score_head: Any  # a linear layer a decoder layer
    input_proj: Any  # a stack a level


def query_decoder(net: nn.Module) -> QueryDecoder:
    """The last layer of a network that is known to end in RT-DETR's head."""
    return cast(QueryDecoder, cast(Network, net).model[-1])
