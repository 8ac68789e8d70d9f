"""Ultralytics' detection heads, YOLOv3 to YOLO26."""

import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from copy import copy, deepcopy
from datetime import datetime
from os import PathLike
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from ultralytics import __version__ as ultralytics_version
from ultralytics.engine.model import Model
from ultralytics.engine.predictor import BasePredictor
from ultralytics.nn.autobackend import check_class_names
from ultralytics.nn.modules import head as heads
from ultralytics.nn.tasks import BaseModel

from ...errors import UnsupportedModelError
from ...head.batch_targets import BatchTargets, Reads
from ...head.batches import Batch
from ...head.following import Follower, Following
from ...head.forward import Candidates, Limits, Outputs, Pass, Targets
from ...head.head import Head
from ...head.levels import Level, level_name
from ...head.mark import unmarked
from ...head.pyramid import Pyramid
from ...head.text_fold import TextFold
from ...head.turns import turns
from . import validation
from .arguments import check_predict_args
from .candidates import seen_by_nms, xywh_to_xyxy
from .criteria.batch import Given
from .criteria.listening import listening, noting
from .criteria.single import targets_of
from .declared import Branch, Network, Predictor, Stream, Yolo, detection_head, last_conv
from .decoding import level_boxes
from .following import UltralyticsFollowing, criterion_of, ready_to_train
from .layout import BOXES, BRANCHES, check_names, detect_module, wants
from .lock import PredictorLock, joined_lock
from .opening import open_checkpoint, wrap
from .runners import Kinds, holders, known_mark, predictors, runners, strange
from .tap import Listening, Tap, apart, overridden, running_network

KINDS = Kinds(holder=Model, predictor=BasePredictor)
_predictors: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # bare network -> the predictor made for it here


class UltralyticsHead(Head):
    """The head of a YOLO object, or of its bare network: then the YOLO object that holds it, if any, is found."""

    net: Network
    yolo: Yolo | None
    module_of = staticmethod(detect_module)

    def __init__(self, model: Any):
        self._given = model
        self.net = self.network(model)
        self.detect = self.module_of(self.net)
        self.mark = known_mark(self.net, KINDS)
        if isinstance(model, Model):
            self.mark.holders.add(model)
        self.yolo = cast(Yolo, model) if isinstance(model, Model) else next(holders(self.mark, model), None)
        self.names = check_names(self.detect, check_class_names(self.net.names))
        self.reg_max = getattr(self.detect, "reg_max", 1)
        self.rotated = isinstance(self.detect, heads.OBB)
        self.wants = wants(self.detect)
        self._at = len(self.net.model) - 1
        self.levels = tuple(self._level(index) for index in range(self.detect.nl))

    def class_conv(self, level: int, branch: str) -> nn.Conv2d:
        """The last convolution of the class stack of a level."""
        return last_conv(tuple(self._convs(branch))[level])

    def twins(self, level: int, branch: str) -> Iterator[nn.Conv2d]:
        """The same convolution in the copies that predictors made of the network."""
        for runner in list(self.mark.runners):
            yield from self._conv_of(runner, level, branch)

    def running_convs(self, level: int, branch: str) -> Iterator[tuple[str, nn.Conv2d]]:
        """Of the YOLO objects that hold the network, of predictors made by hand, and of those of unclear source."""
        for who, runner in runners(self.net, self.mark, _predictors.get(self.net)):
            for conv in self._conv_of(runner, level, branch):
                yield who, conv

    def settle(self) -> int:
        """Take from YOLO objects the predictors that run no copy of this network, so that the next is made of it.

        Ultralytics does so itself where it replaces a network, but not where a caller sets ``.model``.
        """
        found = [holder for holder in holders(self.mark, self.net) if strange(holder.predictor, self.net, self.mark)]
        for holder in found:
            holder.predictor = None
        return len(found)

    @property
    def owner(self) -> Model | None:
        """The YOLO object, if there is one."""
        return self.yolo

    @property
    def replaced(self) -> bool:
        """Whether the YOLO object holds another network by now, or the network another head."""
        other = self._given is not self.net and self._given.model is not self.net
        return other or self.net.model[-1] is not self.detect

    @property
    def text_fold(self) -> TextFold | None:
        """Kept by the mark of the network."""
        return self.mark.fold

    @property
    def beside(self) -> Mapping:
        """What else the checkpoint held; empty for a bare network."""
        return (self.yolo.ckpt or {}) if self.yolo is not None else {}

    def open(self, path: str | PathLike, *, trusted: bool = False) -> Model:
        """The YOLO object of a checkpoint, as ``anatomy.open_checkpoint`` opens it."""
        return open_checkpoint(path, trusted=trusted)

    @property
    def tensor_multiple(self) -> int:
        """A tensor enters as it is: its sides divide by the coarsest stride, and by 32, which Ultralytics asks for."""
        return max(32, *(round(level.stride) for level in self.levels))

    @property
    def channels(self) -> int:
        """Of an image, as the network's yaml says; 3 where it does not."""
        return (getattr(self.net, "yaml", None) or {}).get("channels", 3)

    def predict_args(self, given: Mapping) -> dict:
        """Checked by name and value; TypeError and ValueError as ``check_predict_args`` says."""
        return check_predict_args(given, self.names)

    def passes(self, source: Any, **predict_args: Any) -> Iterator[Pass]:
        """As ``predict(stream=True)``, on a copy of the predictor that shares its network and nothing else.

        The network is held while a pass runs, as ``predict()`` holds it, and is free between two of them. Raises
        RuntimeError where the running thread itself holds it by a stream of ``predict()`` that is still open.
        """
        return self._passes(source, {"verbose": False, **predict_args})

    def _passes(self, source: Any, predict_args: dict, *, originals: bool = True) -> Generator[Pass]:
        """Without ``originals`` every image of a tensor is a black one of its size."""
        self.settle()
        shared, own, results = self._set_up(source, predict_args)
        lock, tap = self._lock(shared), self._tap(own, originals)
        try:
            while True:
                with lock.predicting():
                    own.model = shared.model
                    with tap:
                        more = next(results, None)
                    shared.done_warmup = own.done_warmup
                if more is None:
                    return
                yield tap.passes.popleft()
        finally:
            results.close()

    def _tap(self, predictor: Predictor, originals: bool) -> Listening:
        """What listens while a predictor runs."""
        return Tap(predictor, originals=originals)

    def batches(self, sizes: Sequence[tuple[int, int]], imgsz: int, size: int) -> list[Batch]:
        """Images of like shape together, as ``val(rect=True)`` puts them; rotated boxes are not evaluated."""
        return validation.batches(sizes, imgsz, size, self.tensor_multiple)

    def batch_passes(
        self, images: Sequence[np.ndarray], batch: Batch, *, imgsz: int, **predict_args: Any
    ) -> Iterator[Pass]:
        """As ``val()`` runs a batch; of masks, key points and angles nothing is kept."""
        if batch.input_shape is None:
            yield from super().batch_passes(images, batch, imgsz=imgsz, **predict_args)
            return
        framed = validation.framed(images, batch.input_shape, imgsz)
        passes = self._passes(framed.frames, {"verbose": False, **predict_args}, originals=False)
        for pass_, image, letterbox in zip(passes, images, framed.letterboxes, strict=True):
            yield validation.seated(pass_, image, letterbox)

    @torch.inference_mode()
    def evaluated(self, run: Pass) -> tuple[Tensor, Tensor] | None:
        """Boxes and scores of all anchors, as ``val()`` hands them to its selection."""
        whole = torch.arange(run.boxes.shape[1], device=run.boxes.device)
        return self.xyxy(run, whole).float(), run.private.prediction[4 : 4 + len(self.names)].float()

    @torch.inference_mode()
    def finish(self, run: Pass) -> Pass:
        """The predictor's own selection and result again, from the class logits of the pass."""
        return run.private.finish(run)

    def found(self, run: Pass) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (n, 4) xyxy px of the original (rotated ones: upright hulls), confidence and class id (n,)."""
        boxes = run.result.boxes if run.result.obb is None else run.result.obb
        return boxes.xyxy.view(-1, 4), boxes.conf, boxes.cls.long()

    def corners(self, run: Pass) -> Tensor:
        """The corners (n, 4, 2) xy px of the original."""
        return run.result.obb.xyxyxyxy if self.rotated else super().corners(run)

    @torch.inference_mode()
    def candidates(self, run: Pass) -> Candidates | None:
        """What non-maximum suppression saw of this image; None of an end-to-end head."""
        return None if run.private.end2end else seen_by_nms(run.private, len(self.names))

    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        """Boxes (n, 4) xyxy px of the network input; of rotated ones those without their angle."""
        boxes = run.boxes[:, anchors].T
        return boxes if run.private.end2end and not run.private.rotated else xywh_to_xyxy(boxes)

    def limits(self, run: Pass) -> Limits:
        """By the arguments of the pass; an end-to-end head always ranks 300 at least."""
        args, end2end = run.private.args, run.private.end2end
        allowed = None if args.classes is None else tuple(torch.as_tensor(args.classes).view(-1).tolist())
        return Limits(conf=args.conf, classes=allowed, most=max(args.max_det, 300) if end2end else args.max_det)

    def targets(self, run: Pass, boxes: Tensor, labels: Tensor, *, branch: str | None = None, **more: Any) -> Targets:
        """By the network's own criterion; without outlines or key points, what it can have without them.

        Of the branch that did not run, and of what detections alone do not show, the head is run again on the feature
        maps of the pass, with its weights as they are.
        """
        branch = branch or run.branch
        fused = running_network(run.private.predictor)
        net = fused if branch == run.branch and not (self.wants or self.rotated) else self.net
        with self.undisturbed():
            return targets_of(net, run, branch, Given(boxes, labels, **more))

    def listening(self, criterion: Any) -> AbstractContextManager[list[BatchTargets]]:
        """Of the criterion that ``init_criterion`` makes, with one branch or both."""
        return listening(criterion)

    def noting(self, criterion: Any, take: Callable[[Reads], Any]) -> AbstractContextManager[None]:
        """What ``take`` gets is told before the trainer goes backward."""
        return noting(criterion, take)

    @property
    def running(self) -> Network:
        """The copy that the predictor made, or ``net`` as long as there is none."""
        predictor = self._predictor()
        return self.net if predictor is None or predictor.model is None else running_network(predictor)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """As in ``Head``; ``predict()`` of other threads waits as well."""
        with super().undisturbed(), ExitStack() as locks:
            for predictor in predictors(self.net, self.mark, self._predictor()):
                locks.enter_context(self._lock(predictor).held())
            yield

    def parts(self) -> dict[str, str]:
        """Backbone and neck as the model's yaml divides them; of the head every list with one member a level."""
        first = len((getattr(self.net, "yaml", None) or {}).get("backbone", ()))
        parts = {f"model.{i}": "backbone" if i < first else "neck" for i in range(self._at)}
        parts[f"model.{self._at}"] = "head"
        for name, child in self.detect.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == len(self.levels):
                parts |= {f"model.{self._at}.{name}.{level.index}": f"head {level.name}" for level in self.levels}
        return parts

    def stacks(self, level: int, branch: str) -> dict[str, tuple[str, ...]]:
        """The class stack and the box stack; those of masks, key points and angles are neither."""
        names = {"class": BRANCHES[branch], "box": BOXES[branch]}
        return {kind: (f"model.{self._at}.{name}.{level}",) for kind, name in names.items()}

    def follow(self, follower: Follower) -> Following | None:
        """Tied to ``train()`` of the YOLO object; None for a bare network, which its owner trains in a loop."""
        given = self.yolo if self._given is self.yolo else None
        return UltralyticsFollowing(given, follower, type(self)) if given is not None else None

    def criterion(self) -> Any:
        """The network's own; made as its ``loss`` makes it at the first batch."""
        return criterion_of(self.net)

    def trainable(self, net: nn.Module, settings: Mapping[str, Any]) -> Callable[..., Tensor]:
        """As a trainer readies a network, with these settings and a criterion that is made anew."""
        return ready_to_train(net, settings)

    def forward(self, images: Tensor, branch: str) -> Outputs:
        """What the running network makes of a batch (B, 3, H, W), differentiable."""
        net = self.running
        with self.undisturbed(), overridden(detection_head(net), shape=None, anchors=None, strides=None):
            raw = net(images)[1]  # with a cache of its own, as that of the head may be of inference mode
        raw = raw.get(branch, raw)
        grids = [feature.shape[2:] for feature in raw["feats"]]
        pyramid = Pyramid.of(grids, [level.stride for level in self.levels])
        return Outputs(inputs=tuple(raw["feats"]), logits=pyramid.split(raw["scores"]), raw=pyramid.split(raw["boxes"]))

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        """Class logits (B, nc, h, w) and raw box outputs (B, r, h, w) of the stacks of one level."""
        with self.undisturbed():
            parts: Branch = getattr(detection_head(self.running), branch)
            return parts["cls_head"][level](x), parts["box_head"][level](x)

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        """Distances from the anchor point to the sides, DFL bins in strides; UnsupportedModelError if rotated."""
        if self.rotated:
            raise UnsupportedModelError("The edges of rotated boxes are not explained; take a class logit or score.")
        return level_boxes(raw, self.reg_max, self.levels[level].stride, self.grid_offset)

    @staticmethod
    def network(model: Any) -> Any:
        """The network that a YOLO object holds; a network itself."""
        return model.model if isinstance(model, Model) else model

    @staticmethod
    def fuse(net: nn.Module) -> nn.Module:
        """Fuse a network, or any block made of Ultralytics' own, in place, by ``BaseModel.fuse``."""
        whole = net
        if not isinstance(whole, BaseModel):
            whole = BaseModel()
            whole.model = nn.Sequential(net)
        whole.fuse(verbose=False)
        return net.eval()

    def checkpoint(self, half: bool) -> dict:
        """What ``YOLO.save`` would write, in float16 or in the network's own precision."""
        with self.undisturbed():
            net = unmarked(deepcopy(self.net))
        net = (net.half() if half else net).to(memory_format=torch.contiguous_format)
        kept = dict(self.yolo.ckpt or {}) if self.yolo is not None else {}
        return kept | {
            "ema": None,
            "model": net,
            "date": datetime.now().astimezone().isoformat(),
            "version": ultralytics_version,
            "license": "AGPL-3.0 (https://ultralytics.com/license)",
        }

    @property
    def branches(self) -> tuple[str, ...]:
        """Those whose class stacks are there, the one that ``predict()`` uses by default first."""
        live = [name for name, path in BRANCHES.items() if getattr(self.detect, path, None) is not None]
        predictor = self._predictor()
        args = predictor.args if predictor is not None else None
        if args is not None and args.nms is False:
            live.reverse()
        return tuple(live)

    def _level(self, index: int) -> Level:
        stride = float(self.detect.stride[index])
        paths = {name: f"model.{self._at}.{BRANCHES[name]}.{index}" for name in self.branches}
        paths = {name: f"{path}.{len(cast(Sized, self._convs(name)[index])) - 1}" for name, path in paths.items()}
        box_head = getattr(self.detect, BOXES[next(iter(paths))])
        first = next(module for module in box_head[index].modules() if isinstance(module, nn.Conv2d))
        return Level(index=index, name=level_name(stride), stride=stride, in_channels=first.in_channels, paths=paths)

    def _convs(self, branch: str) -> nn.ModuleList:
        return getattr(self.detect, BRANCHES[branch])

    def _predictor(self) -> Predictor | None:
        """The predictor that runs a copy of this network, or that is still to make one."""
        found = self.yolo.predictor if self.yolo is not None else _predictors.get(self.net)
        return None if strange(found, self.net, self.mark) else found

    def _conv_of(self, runner: nn.Module, level: int, branch: str) -> Iterator[nn.Conv2d]:
        """The class convolution of a runner; none where its branch was removed."""
        convs = tuple(getattr(detection_head(runner), BRANCHES[branch], None) or ())
        if level < len(convs):
            conv = last_conv(convs[level])
            if conv is not self.class_conv(level, branch):
                yield conv

    def _lock(self, predictor: Predictor) -> PredictorLock:
        return joined_lock(predictor, turns(self.net).passes)

    def _set_up(self, source: Any, args: dict) -> tuple[Predictor, Predictor, Stream]:
        """The shared predictor for these arguments, a copy of it for one stream, and its results, not begun yet.

        Ultralytics itself reads the arguments, in a copy of the YOLO object, and makes a predictor anew where it would.
        One that cannot be made, for a device that is not there, leaves the model with the predictor that it had.
        """
        with turns(self.net).passes.held():
            shared = self._predictor()
            yolo = apart(self.yolo or wrap(self.net))
            own = None if shared is None or shared.model is None else apart(shared, _lock=nullcontext())
            yolo.predictor = own
            try:
                results = cast(Stream, yolo.predict(source, stream=True, **args))
                made = cast(Predictor, yolo.predictor)  # as predict() leaves it
            finally:
                yolo.predictor = None  # an error that is kept may keep this object alive
            if shared is not None and made is own:
                return shared, made, results
            results.close()
            self._lock(made)  # before others can see it
            self._publish(made)
            own = apart(made, _lock=nullcontext(), args=copy(made.args))
            return made, own, own(source=source, stream=True)

    def _publish(self, predictor: Predictor) -> None:
        if self.yolo is None:
            _predictors[self.net] = predictor
        else:
            self.yolo.predictor = predictor
