"""What RT-DETR's decoder does while it runs: which cells it chose, what it made of them, and where it looked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ....head.pyramid import Pyramid
from ..declared import QueryDecoder
from ..laid import Laid
from ..tap import overridden
from .noted import Noted


@dataclass(frozen=True)
class Heard:
    """One run over B images, A cells, q queries; boxes are (centre, size) as shares of the input.

    ``inputs`` (B, c, h, w) a level, what the decoder reads. Of the encoder: ``cell_logits`` (B, A, nc), ``cell_boxes``
    (B, A, 4). ``chosen`` (B, q) the cells at which queries begin, the surest first. Of the last decoder layer:
    ``features`` (B, q, c) what its class rows read, ``logits`` (B, q, nc), ``boxes`` (B, q, 4). ``ranked`` (B, k):
    query * nc + class of each pair that was handed on, best first. ``shares`` (B, layers, q, levels).
    """

    inputs: tuple[Tensor, ...]
    cell_logits: Tensor
    cell_boxes: Tensor
    chosen: Tensor
    features: Tensor
    logits: Tensor
    boxes: Tensor
    ranked: Tensor
    shares: Tensor

    def pyramid(self, strides: list[float]) -> Pyramid:
        """The grids that the decoder read."""
        return Pyramid.of([level.shape[2:] for level in self.inputs], strides)


class Hearing(Laid):
    """Within the block the decoder is listened to; ``heard()`` says what its last run was."""

    def __init__(self, decoder: QueryDecoder):
        super().__init__()
        self._decoder, self._noted = decoder, dict[str, Any]()

    def _lay(self) -> None:
        decoder, last = self._decoder, self._decoder.decoder.eval_idx
        self.enter_context(decoder.register_forward_pre_hook(self._note_inputs))
        self.enter_context(decoder.enc_score_head.register_forward_hook(self._noting("cell_features", "cell_logits")))
        self.enter_context(decoder.dec_score_head[last].register_forward_hook(self._noting("features", "logits")))
        for number, layer in enumerate(decoder.decoder.layers[: last + 1]):
            weights = layer.cross_attn.attention_weights
            self.enter_context(weights.register_forward_hook(self._noting(f"query {number}", f"attention {number}")))
        taps = {"_get_decoder_input": self._choose, "postprocess": self._rank}
        self.enter_context(overridden(decoder, **taps))

    def heard(self) -> Heard:
        """The last run of the decoder."""
        noted, decoder = self._noted, self._decoder
        layers = decoder.decoder.layers[: decoder.decoder.eval_idx + 1]
        shares = [level_shares(noted[f"attention {i}"], layer.cross_attn) for i, layer in enumerate(layers)]
        boxes = (decoder.enc_bbox_head(noted["cell_features"]) + decoder.anchors).sigmoid()
        return Heard(
            inputs=noted["inputs"],
            cell_logits=noted["cell_logits"],
            cell_boxes=boxes,
            chosen=noted["chosen"],
            features=noted["features"],
            logits=noted["logits"],
            boxes=noted["boxes"],
            ranked=noted["ranked"],
            shares=torch.stack(shares, 1),
        )

    def _note_inputs(self, module: nn.Module, inputs: tuple) -> None:
        self._noted["inputs"] = tuple(inputs[0])

    def _noting(self, given: str, made: str) -> Callable[[nn.Module, tuple, Tensor], None]:
        def note(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            self._noted |= {given: inputs[0], made: output}

        return note

    def _choose(self, *args: Any) -> tuple[Tensor, ...]:
        with Noted() as noted:
            made = type(self._decoder)._get_decoder_input(self._decoder, *args)
        (self._noted["chosen"],) = noted.top
        return made

    def _rank(self, boxes: Tensor, scores: Tensor) -> Tensor:
        rows, self._noted["ranked"] = ranked(self._decoder, boxes, scores)
        self._noted["boxes"] = boxes
        return rows


def ranked(decoder: QueryDecoder, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """The rows (B, k, 6) that a decoder hands on of boxes (B, q, 4) and scores (B, q, nc), and ``Heard.ranked``."""
    with Noted() as noted:
        rows = type(decoder).postprocess(decoder, boxes, scores)
    (top,) = noted.top
    return rows, top


def level_shares(weights: Tensor, attention: Any) -> Tensor:
    """How the weights of a deformable attention fall upon the levels, (B, q, levels), the mean of its heads; sums to 1.

    ``weights`` (B, q, heads * levels * points) before the softmax, which runs over the points of all levels.
    Deformable DETR, https://arxiv.org/abs/2010.04159.
    """
    heads = weights.unflatten(2, (attention.n_heads, -1)).softmax(-1)
    return heads.unflatten(3, (attention.n_levels, attention.n_points)).sum(-1).mean(2)
