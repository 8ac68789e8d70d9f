"""What happens while RT-DETR's predictor runs: one forward pass listened to, and its last step done again."""

import copy
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from ultralytics.engine.results import Results

from ....head.forward import Pass
from ....head.levels import SILENT_LOGIT
from ..declared import Predictor, query_decoder
from ..tap import OF_ONE_PASS, Listening, Rows, apart, overridden, running_network
from .grids import at_queries, laid_upon, on_grids
from .hearing import Heard, Hearing, ranked
from .noted import Noted


@dataclass(frozen=True)
class QueryEnding:
    """What the last step of a pass (ranking, selection, result) needs to be done again.

    ``boxes`` (1, q, 4) of the queries, (centre, size) as shares of the input; ``features`` (1, q, c) what their class
    rows read; ``shares`` (layers, q, levels); ``queries`` (n,) the query of each detection; ``cell_logits`` (nc, h, w)
    a level: the class logits of the encoder.
    """

    predictor: Predictor
    args: Any
    boxes: Tensor
    features: Tensor
    shares: Tensor
    queries: Tensor
    cell_logits: tuple[Tensor, ...]

    def __deepcopy__(self, memo: dict) -> "QueryEnding":
        """Tensors are copied; predictor and network stay those of the model."""
        own = ("boxes", "features", "shares", "queries", "cell_logits")
        return replace(self, **{name: copy.deepcopy(getattr(self, name), memo) for name in own})

    def finish(self, pass_: Pass, chosen: Tensor) -> Pass:
        """The pass with scores, ranking and result anew, from its class logits at the cells that were chosen (q,)."""
        decoder = query_decoder(running_network(self.predictor))
        rows, top = ranked(decoder, self.boxes, at_queries(pass_.logits, chosen).sigmoid())
        predictor = apart(self.predictor, args=self.args, batch=([pass_.path], None, None))
        with Noted() as noted:
            (result,) = type(predictor).postprocess(predictor, rows, None, [pass_.original])
        queries = kept_queries(top[0], noted.kept[0], self.args.max_det, len(pass_.logits[0]))
        return pass_.evolve(result=result, anchors=chosen[queries], private=replace(self, queries=queries))


def kept_queries(top: Tensor, kept: Tensor, most: int, classes: int) -> Tensor:
    """The queries (n,) of the detections: of the ranked pairs of query and class (k,) those that were kept."""
    return top[kept[:most]] // classes


class QueryTap(Listening):
    """Within the block, every image that the predictor finishes appends its ``Pass`` to ``passes``; as ``Tap``."""

    def __init__(self, predictor: Predictor, strides: list[float], branch: str, *, originals: bool):
        super().__init__()
        self._originals, self._strides, self._branch = originals, strides, branch
        self._predictor = predictor
        self.passes: deque[Pass] = deque()

    def _lay(self) -> None:
        decoder = query_decoder(running_network(self._predictor))
        self._hearing = self.enter_context(Hearing(decoder))
        self._rows = _rows(decoder.dec_score_head[decoder.decoder.eval_idx])
        self.enter_context(overridden(self._predictor, postprocess=self._postprocess))

    def _postprocess(self, predictions: Any, frames: Tensor, originals: Any, **kwargs: Any) -> list[Results]:
        """The predictor's own postprocessing, and a pass of every image."""
        predictor = self._predictor
        if not self._originals:
            originals = [np.broadcast_to(np.uint8(0), (*frames.shape[2:], 3))] * len(frames)
        with Noted() as noted:
            results = type(predictor).postprocess(predictor, predictions, frames, originals, **kwargs)
        heard = self._hearing.heard()
        resting = apart(predictor, **dict.fromkeys(OF_ONE_PASS))
        del resting.postprocess  # the tap
        for image, (result, kept) in enumerate(zip(results, noted.kept, strict=True)):
            self.passes.append(self._pass(heard, frames, image, result, kept, resting))
        return results

    def _pass(
        self, heard: Heard, frames: Tensor, image: int, result: Results, kept: Tensor, resting: Predictor
    ) -> Pass:
        """The pass of one image of a batch."""
        here, pyramid = slice(image, image + 1), heard.pyramid(self._strides)
        chosen, logits = heard.chosen[here], heard.logits[here]
        (height, width), args = frames.shape[2:], self._predictor.args
        boxes = laid_upon(heard.cell_boxes[here], heard.boxes[here], chosen, pyramid)
        shares = torch.cat([level[0].flatten(1) for level in boxes], 1)
        queries = kept_queries(heard.ranked[image], kept, args.max_det, logits.shape[2])
        ending = QueryEnding(
            predictor=resting,
            args=args,
            boxes=heard.boxes[here],
            features=heard.features[here],
            shares=heard.shares[image],
            queries=queries,
            cell_logits=pyramid.split(heard.cell_logits[image].T.contiguous()),
        )
        return Pass(
            path=result.path,
            original=result.orig_img,
            input_shape=(height, width),
            branch=self._branch,
            frame=frames[here],
            inputs=tuple(level[here] for level in heard.inputs),
            features=on_grids(heard.features[here], chosen, pyramid, 0.0),
            rows=(self._rows,) * len(pyramid.shapes),
            logits=tuple(level[0] for level in on_grids(logits, chosen, pyramid, SILENT_LOGIT)),
            box_logits=shares,
            boxes=shares * shares.new_tensor([width, height, width, height])[:, None],
            anchors=chosen[0, queries],
            result=result,
            private=ending,
            chosen=chosen[0],
        )


def _rows(layer: Any) -> Rows:
    """Weight and bias of a layer as they are now."""
    return layer.weight.detach().clone(), layer.bias.detach().clone()
