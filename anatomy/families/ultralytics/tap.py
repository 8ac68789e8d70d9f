"""What happens while an Ultralytics predictor runs: one forward pass listened to, and its last step done again."""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from ultralytics.engine.results import Results

from ...head.classes import Rows
from ...head.endings import ending_with
from ...head.forward import Pass
from ...head.pyramid import Pyramid
from ...head.scores import all_scores, candidates, column_scores
from .declared import Branch, DetectHead, Network, Predictor, detection_head, last_conv
from .laid import Laid

OF_ONE_PASS = ("dataset", "batch", "results", "plotted_img")  # what a predictor holds of the images it runs on
Some = TypeVar("Some")


def running_network(predictor: Predictor) -> Network:
    """The network that a set-up predictor runs: its own, fused copy of the model."""
    return getattr(predictor.model, "_orig_mod", predictor.model).backend.model


def apart(shared: Some, **attributes: Any) -> Some:
    """A shallow copy of an object, with these attributes: what it is given from now on, the original never sees."""
    new = object.__new__(type(shared))  # as copy.copy, which is many times slower
    new.__dict__.update(shared.__dict__)
    new.__dict__.update(attributes)
    return new


@contextmanager
def overridden(target: object, **attributes: Any) -> Iterator[None]:
    """Instance attributes for the length of a block; what stood there before comes back, however the block ends."""
    before = {name: target.__dict__[name] for name in attributes if name in target.__dict__}

    def put_back() -> None:
        for name in attributes:
            target.__dict__.pop(name, None)
        target.__dict__.update(before)

    with ending_with(put_back):
        target.__dict__.update(attributes)
        yield


@dataclass(frozen=True)
class Ending:
    """What the last step of a pass (selection, scaling, result) needs to be done again.

    ``prediction`` (4 + nc + extra, m): boxes in px of the network input, probabilities, and ``extras`` (mask
    coefficients, key points or angle; (extra, A) for all anchors), of the anchors ``columns`` (None: of all).
    ``proto`` holds a segment head's prototypes (1, nm, h, w). ``survivors`` (k,) are the anchors that NMS kept, those
    of segments without a mask, which are no detections, among them.
    """

    predictor: Predictor
    args: Any
    end2end: bool
    prediction: Tensor
    columns: Tensor | None
    extras: Tensor
    proto: Tensor | None
    survivors: Tensor

    def __deepcopy__(self, memo: dict) -> "Ending":
        """Tensors are copied; predictor and network stay those of the model."""
        own = ("prediction", "columns", "extras", "proto", "survivors")
        return replace(self, **{name: copy.deepcopy(getattr(self, name), memo) for name in own})

    @property
    def rotated(self) -> bool:
        """Whether boxes have an angle."""
        return self.args.task == "obb"

    def finish(self, pass_: Pass) -> Pass:
        """The pass with scores, selection and result anew, from its class logits."""
        columns = None
        if self.end2end:
            prediction = torch.cat((pass_.boxes, all_scores(pass_.logits), self.extras))
            rows, anchors = self._top(_unfinished(prediction[None]))
        else:
            columns = anchors = candidates(pass_.peaks, self.args.conf)
            scores = column_scores(pass_.logits, columns)
            prediction = torch.cat((pass_.boxes[:, columns], scores, self.extras[:, columns]))
            rows = _unfinished(prediction[None])
        result, selection = self._select(pass_, rows)
        ending = replace(self, prediction=prediction, columns=columns, survivors=anchors[selection.kept[0]])
        return pass_.evolve(result=result, anchors=anchors[selection.rows[0]], private=ending)

    def _top(self, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """The rows (1, k, 6 + extra) that an end-to-end head puts out for a prediction, and their anchors (k,)."""
        head = apart(detection_head(running_network(self.predictor)), **end_to_end(self.args))
        with TopK(head) as top:
            rows = head.postprocess(prediction.permute(0, 2, 1))
        return rows, top.index[0]

    def _select(self, pass_: Pass, rows: Tensor) -> tuple[Results, "Selection"]:
        """The predictor's own postprocessing of this prediction, and which of its rows it chose."""
        frame = SimpleNamespace(shape=(1, 3, *pass_.input_shape))  # nothing but its shape is asked for
        predictor = apart(self.predictor, args=self.args, batch=([pass_.path], None, None))
        y = rows if self.proto is None else (rows, self.proto)
        with Selection(predictor) as selection:
            result = type(predictor).postprocess(predictor, (y, {}), frame, [pass_.original])[0]
        return result, selection


def _unfinished(prediction: Tensor) -> Tensor:
    """A prediction (1, channels, m) with a seventh column where there are six.

    Six look like finished end-to-end rows to Ultralytics' NMS.
    """
    if prediction.shape[-1] != 6:
        return prediction
    return torch.cat((prediction, prediction.new_zeros(prediction.shape[:2])[..., None]), 2)


class Selection:
    """Within the block, ``rows`` gains the indices of the detections in what NMS was given, (n,) int64 an image.

    ``kept`` are those that the predictor's NMS kept.
    Ultralytics hands these indices to ``get_obj_feats`` when ``_feats`` is set, and then keeps segments without a mask;
    those are left out here as it does otherwise.
    """

    def __init__(self, predictor: Predictor):
        self._predictor = predictor
        self.kept: list[Tensor] = []
        self.rows: list[Tensor] = []

    def __enter__(self) -> Self:
        taps = {"_feats": (), "get_obj_feats": self._keep, "construct_result": self._construct}
        self._block: AbstractContextManager[None] = overridden(self._predictor, **taps)
        self._block.__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._block.__exit__(*error)

    def _keep(self, _: Any, kept: list[Tensor]) -> list[Tensor]:
        self.kept, self.rows = [rows.view(-1).long() for rows in kept], []
        return self.kept

    def _construct(self, *args: Any) -> Results:
        result = type(self._predictor).construct_result(self._predictor, *args)
        rows = self.kept[len(self.rows)]
        if result.masks is not None:
            seen = torch.as_tensor(result.masks.data).amax((-2, -1)) > 0
            if not seen.all():
                result, rows = result[seen], rows[seen]
        self.rows.append(rows)
        return result


def end_to_end(args: Any) -> dict[str, Any]:
    """What ``BasePredictor.stream_inference`` sets on an end-to-end head before a run."""
    return {"max_det": max(args.max_det, 300), "agnostic_nms": args.agnostic_nms}


class TopK(ExitStack):
    """After a pass in the block, ``index`` holds the anchors of the head's own top-k (b, k), ``before`` what it chose
    from (b, A, channels)."""

    index: Tensor
    before: Tensor

    def __init__(self, head: DetectHead):
        super().__init__()
        self._head = head

    def __enter__(self) -> Self:
        super().__enter__()
        taps = {"get_topk_index": self._note_index, "postprocess": self._note_input}
        try:
            self.enter_context(overridden(self._head, **taps))
            return self
        except BaseException:  # an interruption before the block has begun, which then never ends
            self.close()
            raise

    def _note_index(self, *args: Any) -> tuple[Tensor, Tensor, Tensor]:
        found = type(self._head).get_topk_index(self._head, *args)
        self.index = found[2]
        return found

    def _note_input(self, predictions: Tensor) -> Tensor:
        self.before = predictions
        return type(self._head).postprocess(self._head, predictions)


@dataclass(frozen=True)
class _Batch:
    """What a network made of B images: ``prediction`` (B, 4 + nc + extra, A) and ``raw``, its outputs by name.

    ``proto`` (B, nm, h, w) of a segment head; ``features`` of the class convolutions (B, c, h, w) a level, ``rows``
    their weights and biases as they are; ``resting`` a copy of the predictor that holds nothing of these images.
    """

    frames: Tensor
    prediction: Tensor
    proto: Tensor | None
    raw: Mapping[str, Any]
    features: tuple[Tensor, ...]
    rows: tuple[Rows, ...]
    pyramid: Pyramid
    resting: Predictor


class Listening(Laid):
    """A block that is entered again and again while a predictor runs; ``passes`` fills with those that it finishes."""

    passes: deque[Pass]


class Tap(Listening):
    """Within the block, every image that the predictor finishes appends its ``Pass`` to ``passes``.

    The block can be entered again and again; the network must be held for each. ``predictor`` is that of one stream.
    Without ``originals`` the images of a tensor are not made of it, which takes long: black ones stand for them.
    """

    def __init__(self, predictor: Predictor, *, originals: bool):
        super().__init__()
        self._originals = originals
        self.passes: deque[Pass] = deque()
        self._predictor, self._selection = predictor, Selection(predictor)

    def _lay(self) -> None:
        self._head = detection_head(running_network(self._predictor))
        self._branch = "one2one" if self._head.end2end else "one2many"
        parts: Branch = getattr(self._head, self._branch)
        self._convs = [last_conv(stack) for stack in parts["cls_head"]]
        self._features: dict[int, Tensor] = {}
        self._top = TopK(self._head)
        for level, conv in enumerate(self._convs):
            self.enter_context(conv.register_forward_pre_hook(self._listener(level)))
        if self._head.end2end:
            self.enter_context(overridden(self._head, **end_to_end(self._predictor.args)))
        self.enter_context(self._top)
        self.enter_context(overridden(self._predictor, postprocess=self._postprocess))

    def _listener(self, level: int) -> Callable[[nn.Module, tuple], None]:
        def listen(module: nn.Module, inputs: tuple) -> None:
            self._features[level] = inputs[0]

        return listen

    def _postprocess(self, predictions: Any, frames: Tensor, originals: Any, **kwargs: Any) -> list[Results]:
        """The predictor's own postprocessing, and a pass of every image."""
        predictor = self._predictor
        if not self._originals:
            originals = [np.broadcast_to(np.uint8(0), (*frames.shape[2:], 3))] * len(frames)
        with self._selection as selection:
            results = type(predictor).postprocess(predictor, predictions, frames, originals, **kwargs)
        for result in results:
            del vars(result)["feats"]
        batch = self._batch(predictions, frames)
        for image, result in enumerate(results):
            self.passes.append(self._pass(batch, image, result, selection))
        return results

    def _batch(self, predictions: Any, frames: Tensor) -> _Batch:
        """What lies ready after the network has run, before it is told apart by image."""
        y, raw = predictions
        y, proto = y if isinstance(y, tuple) else (y, None)
        raw = raw.get(self._branch, raw)
        resting = apart(self._predictor, **dict.fromkeys(OF_ONE_PASS))
        del resting.postprocess  # the tap
        return _Batch(
            frames=frames,
            prediction=self._top.before.permute(0, 2, 1) if self._head.end2end else y,
            proto=proto,
            raw=raw,
            features=tuple(self._features[level] for level in range(len(self._convs))),
            rows=tuple(map(_rows, self._convs)),
            pyramid=Pyramid.of([feature.shape[2:] for feature in raw["feats"]], self._head.stride.tolist()),
            resting=resting,
        )

    def _pass(self, batch: _Batch, image: int, result: Results, selection: Selection) -> Pass:
        """The pass of one image of a batch."""
        kept, here = selection.rows[image], slice(image, image + 1)
        prediction, scores = batch.prediction[image], batch.raw["scores"]
        ending = Ending(
            predictor=batch.resting,
            args=self._predictor.args,
            end2end=self._head.end2end,
            prediction=prediction,
            columns=None,
            extras=prediction[4 + scores.shape[1] :],
            proto=None if batch.proto is None else batch.proto[here],
            survivors=selection.kept[image],
        )
        return Pass(
            path=result.path,
            original=result.orig_img,
            input_shape=(batch.frames.shape[2], batch.frames.shape[3]),
            branch=self._branch,
            frame=batch.frames[here],
            inputs=tuple(level[here] for level in batch.raw["feats"]),
            features=tuple(feature[here] for feature in batch.features),
            rows=batch.rows,
            logits=batch.pyramid.split(scores[image]),
            box_logits=batch.raw["boxes"][image],
            boxes=prediction[:4],
            anchors=self._top.index[image][kept] if self._head.end2end else kept,
            result=result,
            private=ending,
        )


def _rows(conv: nn.Conv2d) -> Rows:
    """Weight and bias of a convolution as they are now."""
    bias = None if conv.bias is None else conv.bias.detach().clone()
    return conv.weight.detach().clone(), bias
