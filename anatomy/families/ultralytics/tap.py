"""What happens while an Ultralytics predictor runs: one forward pass listened to, and its last step done again."""

import copy
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ...head.forward import Pass
from ...head.pyramid import Pyramid
from ...head.scores import all_scores, candidates, column_scores

OF_ONE_PASS = ("dataset", "batch", "results", "plotted_img")  # what a predictor holds of the images it runs on


def running_network(predictor) -> nn.Module:
    """The network that a set-up predictor runs: its own, fused copy of the model."""
    return getattr(predictor.model, "_orig_mod", predictor.model).backend.model


def apart(shared, **attributes):
    """A shallow copy of an object, with these attributes: what it is given from now on, the original never sees."""
    new = object.__new__(type(shared))  # as copy.copy, which is many times slower
    new.__dict__.update(shared.__dict__)
    new.__dict__.update(attributes)
    return new


@contextmanager
def overridden(target, **attributes) -> Iterator[None]:
    """Instance attributes for the length of a block; what stood there before comes back, however the block ends."""
    before = {name: target.__dict__[name] for name in attributes if name in target.__dict__}
    try:
        target.__dict__.update(attributes)
        yield
    finally:
        for name in attributes:
            target.__dict__.pop(name, None)
        target.__dict__.update(before)


@dataclass(frozen=True)
class Ending:
    """What the last step of a pass (selection, scaling, result) needs to be done again.

    ``prediction`` (4 + nc + extra, m): boxes in px of the network input, probabilities, and ``extras`` (mask
    coefficients, key points or angle; (extra, A) for all anchors), of the anchors ``columns`` (None: of all).
    ``proto`` holds a segment head's prototypes (1, nm, h, w). ``survivors`` (k,) are the anchors that NMS kept, those
    of segments without a mask, which are no detections, among them.
    """

    predictor: Any
    args: Any
    end2end: bool
    prediction: Tensor
    columns: Tensor | None
    extras: Tensor
    proto: Tensor | None
    survivors: Tensor

    def __deepcopy__(self, memo) -> "Ending":
        """Tensors are copied; predictor and network stay those of the model."""
        own = ("prediction", "columns", "extras", "proto", "survivors")
        return replace(self, **{name: copy.deepcopy(getattr(self, name), memo) for name in own})

    @property
    def rotated(self) -> bool:
        return self.args.task == "obb"

    def finish(self, run: Pass) -> Pass:
        if self.end2end:
            ending = replace(self, prediction=torch.cat((run.boxes, all_scores(run.logits), self.extras)))
        else:
            columns = candidates(run.peaks, self.args.conf)
            parts = (run.boxes[:, columns], column_scores(run.logits, columns), self.extras[:, columns])
            ending = replace(self, prediction=torch.cat(parts), columns=columns)
        result, anchors, survivors = ending._select(run)
        return run.evolve(result=result, anchors=anchors, private=replace(ending, survivors=survivors))

    def _select(self, run: Pass) -> tuple[Any, Tensor, Tensor]:
        """The predictor's own postprocessing of this prediction: its result, the anchors of it, and the survivors."""
        prediction = self.prediction[None]
        if prediction.shape[-1] == 6:  # six columns look like finished end-to-end rows to Ultralytics' NMS
            prediction = torch.cat((prediction, prediction.new_zeros(prediction.shape[:2])[..., None]), 2)
        frame = SimpleNamespace(shape=(1, 3, *run.input_shape))  # nothing but its shape is asked for
        predictor = apart(self.predictor, args=self.args, batch=([run.path], None, None))
        if self.end2end:
            head = apart(running_network(predictor).model[-1], **end_to_end(self.args))
            with TopK(head) as top:
                prediction = head.postprocess(prediction.permute(0, 2, 1))
        y = prediction if self.proto is None else (prediction, self.proto)
        with Selection(predictor) as selection:
            result = type(predictor).postprocess(predictor, (y, {}), frame, [run.original])[0]
        of_rows = top.index[0] if self.end2end else self.columns
        return result, of_rows[selection.rows[0]], of_rows[selection.kept[0]]


class Selection:
    """Within the block, ``rows`` gains the indices of the detections in what NMS was given, (n,) int64 an image.

    ``kept`` are those that the predictor's NMS kept.
    Ultralytics hands these indices to ``get_obj_feats`` when ``_feats`` is set, and then keeps segments without a mask;
    those are left out here as it does otherwise.
    """

    def __init__(self, predictor):
        self._predictor, self.kept, self.rows = predictor, [], []

    def __enter__(self):
        taps = {"_feats": (), "get_obj_feats": self._keep, "construct_result": self._construct}
        self._block = overridden(self._predictor, **taps)
        self._block.__enter__()
        return self

    def __exit__(self, *error):
        return self._block.__exit__(*error)

    def _keep(self, _, kept: list[Tensor]) -> list[Tensor]:
        self.kept, self.rows = [rows.view(-1).long() for rows in kept], []
        return self.kept

    def _construct(self, *args):
        result = type(self._predictor).construct_result(self._predictor, *args)
        rows = self.kept[len(self.rows)]
        if result.masks is not None:
            seen = result.masks.data.amax((-2, -1)) > 0
            if not seen.all():
                result, rows = result[seen], rows[seen]
        self.rows.append(rows)
        return result


def end_to_end(args) -> dict:
    """What ``BasePredictor.stream_inference`` sets on an end-to-end head before a run."""
    return {"max_det": max(args.max_det, 300), "agnostic_nms": args.agnostic_nms}


class TopK(ExitStack):
    """Within the block, ``index`` holds the anchors of the head's own top-k (b, k), ``before`` what it chose from."""

    def __init__(self, head):
        super().__init__()
        self._head, self.index, self.before = head, None, None

    def __enter__(self):
        super().__enter__()
        taps = {"get_topk_index": self._note_index, "postprocess": self._note_input}
        try:
            self.enter_context(overridden(self._head, **taps))
            return self
        except BaseException:  # an interruption before the block has begun, which then never ends
            self.close()
            raise

    def _note_index(self, *args):
        found = type(self._head).get_topk_index(self._head, *args)
        self.index = found[2]
        return found

    def _note_input(self, predictions: Tensor):
        self.before = predictions
        return type(self._head).postprocess(self._head, predictions)


class Tap(ExitStack):
    """Within the block, every image that the predictor finishes appends its ``Pass`` to ``passes``.

    The block can be entered again and again; the network must be held for each. ``predictor`` is that of one stream.
    """

    def __init__(self, predictor):
        super().__init__()
        self.passes: deque[Pass] = deque()
        self._predictor, self._selection = predictor, Selection(predictor)

    def __enter__(self):
        super().__enter__()
        try:
            self._lay()
            return self
        except BaseException:  # an interruption before the block has begun, which then never ends
            self.close()
            raise

    def _lay(self) -> None:
        self._head = running_network(self._predictor).model[-1]
        self._branch = "one2one" if self._head.end2end else "one2many"
        self._convs = [level[-1] for level in getattr(self._head, self._branch)["cls_head"]]
        self._features: list[Tensor | None] = [None] * len(self._convs)
        self._top = TopK(self._head)
        for level, conv in enumerate(self._convs):
            self.enter_context(conv.register_forward_pre_hook(self._listener(level)))
        if self._head.end2end:
            self.enter_context(overridden(self._head, **end_to_end(self._predictor.args)))
        self.enter_context(self._top)
        self.enter_context(overridden(self._predictor, postprocess=self._postprocess))

    def _listener(self, level: int):
        def listen(module, inputs):
            self._features[level] = inputs[0]

        return listen

    def _postprocess(self, predictions, frames, originals, **kwargs):
        predictor = self._predictor
        with self._selection as selection:
            results = type(predictor).postprocess(predictor, predictions, frames, originals, **kwargs)
        for result in results:
            del result.feats
        y, raw = predictions
        y, proto = y if isinstance(y, tuple) else (y, None)
        raw = raw.get(self._branch, raw)
        end2end = self._head.end2end
        full = self._top.before.permute(0, 2, 1) if end2end else y
        rows = tuple(
            (conv.weight.detach().clone(), None if conv.bias is None else conv.bias.detach().clone())
            for conv in self._convs
        )
        pyramid = Pyramid.of([feature.shape[2:] for feature in raw["feats"]], self._head.stride.tolist())
        resting = apart(predictor, **dict.fromkeys(OF_ONE_PASS))
        del resting.postprocess  # the tap
        for image, result in enumerate(results):
            kept = selection.rows[image]
            prediction = full[image]
            nc = raw["scores"].shape[1]
            ending = Ending(
                resting,
                predictor.args,
                end2end,
                prediction,
                None,
                prediction[4 + nc :],
                None if proto is None else proto[image : image + 1],
                selection.kept[image],
            )
            self.passes.append(
                Pass(
                    path=result.path,
                    original=result.orig_img,
                    input_shape=tuple(frames.shape[2:]),
                    branch=self._branch,
                    frame=frames[image : image + 1],
                    inputs=tuple(level[image : image + 1] for level in raw["feats"]),
                    features=tuple(feature[image : image + 1] for feature in self._features),
                    rows=rows,
                    logits=pyramid.split(raw["scores"][image]),
                    box_logits=raw["boxes"][image],
                    boxes=prediction[:4],
                    anchors=self._top.index[image][kept] if end2end else kept,
                    result=result,
                    private=ending,
                )
            )
        return results
