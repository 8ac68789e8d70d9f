"""Ultralytics' detection heads, YOLOv3 to YOLO26."""

import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from copy import copy, deepcopy
from datetime import datetime
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from ultralytics import __version__ as ultralytics_version
from ultralytics.engine.model import Model
from ultralytics.engine.predictor import BasePredictor
from ultralytics.nn.autobackend import check_class_names
from ultralytics.nn.modules import head as heads
from ultralytics.nn.tasks import BaseModel
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils.metrics import batch_probiou, box_iou
from ultralytics.utils.tal import TaskAlignedAssigner

from .errors import UnsupportedModelError
from .grid import middles
from .head import Candidates, Head, Limits, Outputs, Pass, Targets
from .levels import Level, level_name
from .mark import Mark, is_marked, mark_of, unmarked
from .turns import turns
from .ultralytics_lock import PredictorLock, joined_lock
from .ultralytics_opening import open_checkpoint, wrap
from .ultralytics_runners import Kinds, holders, look_around, predictors, runners, strange
from .ultralytics_tap import Tap, apart, check_predict_args, overridden, running_network
from .ultralytics_training import read_criterion

WORKS = "Heads that work: Detect, Segment, Pose and OBB of YOLOv3 to YOLO26, and v10Detect."
REFUSED = {
    "RTDETRDecoder": "RT-DETR decodes a set of queries: no pyramid level and no cell makes a box",
    "WorldDetect": "YOLO-World's class convs put out text embeddings, so their channels are no classes",
    "YOLOEDetect": "YOLOE's class convs put out text embeddings, so their channels are no classes",
    "Classify": "a classifier gives one answer for the whole image and has no pyramid levels",
    "SemanticSegment": "a semantic segmentation head labels pixels and makes no boxes",
    "Depth": "a depth head puts out a depth map and makes no boxes",
}
BRANCHES = {"one2many": "cv3", "one2one": "one2one_cv3"}
NMS_CLASS_SHIFT = 7680.0  # px a class: `max_wh` of ultralytics.utils.nms.non_max_suppression

KINDS = Kinds(holder=Model, predictor=BasePredictor)
_predictors: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # bare network -> the predictor made for it here


class UltralyticsHead(Head):
    """The head of a YOLO object, or of its bare network: then the YOLO object that holds it, if any, is found."""

    def __init__(self, model):
        self.net = model.model if isinstance(model, Model) else model
        self.detect = _detect_module(self.net)
        self.mark = _mark(self.net)
        if isinstance(model, Model):
            self.mark.holders.add(model)
        self.yolo = model if isinstance(model, Model) else next(holders(self.mark, model), None)
        self.names = check_class_names(self.net.names)
        self.reg_max = self.detect.reg_max
        self._at = len(self.net.model) - 1
        self.levels = tuple(self._level(index) for index in range(self.detect.nl))

    def class_conv(self, level: int, branch: str) -> nn.Conv2d:
        return getattr(self.detect, BRANCHES[branch])[level][-1]

    def twins(self, level: int, branch: str) -> Iterator[nn.Conv2d]:
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
        return self.yolo

    def open(self, path, *, trusted: bool = False) -> Model:
        return open_checkpoint(path, trusted=trusted)

    def passes(self, source, **predict_args) -> Iterator[Pass]:
        """As ``predict(stream=True)``, on a copy of the predictor that shares its network and nothing else.

        The network is held while a pass runs, as ``predict()`` holds it, and is free between two of them. Raises
        RuntimeError where the running thread itself holds it by a stream of ``predict()`` that is still open.
        """
        check_predict_args(predict_args)
        self.settle()
        shared, own, results = self._set_up(source, {"verbose": False, **predict_args})
        lock, tap = self._lock(shared), Tap(own)
        try:
            while True:
                with lock:
                    own.model = shared.model
                    with tap:
                        more = next(results, None)
                    shared.done_warmup = own.done_warmup
                if more is None:
                    return
                yield tap.passes.popleft()
        finally:
            results.close()

    @torch.inference_mode()
    def finish(self, run: Pass) -> Pass:
        return run.private.finish(run)

    def found(self, run: Pass) -> tuple[Tensor, Tensor, Tensor]:
        boxes = run.result.boxes if run.result.obb is None else run.result.obb
        return boxes.xyxy.view(-1, 4), boxes.conf, boxes.cls.long()

    @torch.inference_mode()
    def candidates(self, run: Pass) -> Candidates | None:
        if run.private.end2end:
            return None
        args, nc = run.private.args, len(self.names)
        prediction = run.private.prediction
        anchors = run.private.columns
        if anchors is None:
            anchors = (prediction[4 : 4 + nc].amax(0) > args.conf).nonzero().view(-1)
            prediction = prediction[:, anchors]
        confidence, class_id = prediction[4 : 4 + nc].max(0)
        keep = confidence > args.conf
        if args.classes is not None:
            keep &= torch.isin(class_id, torch.as_tensor(args.classes, device=class_id.device))
        rotated = args.task == "obb"
        boxes = prediction[:4].T if rotated else xywh_to_xyxy(prediction[:4].T)
        if rotated:
            boxes = torch.cat((boxes, prediction[-1:].T), 1)
        return Candidates(
            anchor=anchors[keep],
            class_id=class_id[keep],
            confidence=confidence[keep],
            boxes=boxes[keep],
            iou_threshold=args.iou,
            shift=0.0 if args.agnostic_nms else NMS_CLASS_SHIFT,
            pairwise_iou=batch_probiou if rotated else lambda a, b: box_iou(a, b, eps=0.0),
            chained=rotated,
        )

    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        boxes = run.boxes[:, anchors].T
        return boxes if run.private.end2end and not run.private.rotated else xywh_to_xyxy(boxes)

    def limits(self, run: Pass) -> Limits:
        args, end2end = run.private.args, run.private.end2end
        allowed = None if args.classes is None else tuple(torch.as_tensor(args.classes).view(-1).tolist())
        return Limits(args.conf, allowed, max(args.max_det, 300) if end2end else args.max_det)

    def targets(self, run: Pass, boxes: Tensor, labels: Tensor) -> Targets:
        """By the network's own criterion; of segment and pose heads the box, class and DFL losses alone."""
        net = apart(running_network(run.private.predictor))
        known = getattr(net, "args", None) or {}
        known = known if isinstance(known, dict) else vars(known)
        net.args = SimpleNamespace(**{**DEFAULT_CFG_DICT, **known})
        with torch.inference_mode(False), self.undisturbed():
            criterion = net.init_criterion()
        criterion = getattr(criterion, run.branch, criterion)
        if type(criterion.assigner) is not TaskAlignedAssigner:
            raise UnsupportedModelError(
                f"{type(self.detect).__name__} is trained with {type(criterion.assigner).__name__}, which also wants "
                "masks, key points or angles; boxes alone do not say what it would assign. Heads that work: Detect and "
                "v10Detect of every size, Segment and Pose up to YOLO12."
            )
        return read_criterion(criterion, run, boxes, labels)

    @property
    def running(self) -> nn.Module:
        predictor = self._predictor()
        return self.net if predictor is None or predictor.model is None else running_network(predictor)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
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

    def forward(self, images: Tensor, branch: str) -> Outputs:
        net = self.running
        with self.undisturbed(), overridden(net.model[-1], shape=None, anchors=None, strides=None):
            raw = net(images)[1]  # with a cache of its own, as that of the head may be of inference mode
        raw = raw.get(branch, raw)
        shapes = [feature.shape[2:] for feature in raw["feats"]]
        logits, boxes = (
            tuple(part.unflatten(2, shape) for part, shape in zip(all_levels, shapes, strict=True))
            for all_levels in (raw[name].split([h * w for h, w in shapes], 2) for name in ("scores", "boxes"))
        )
        return Outputs(tuple(raw["feats"]), logits, boxes)

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        with self.undisturbed():
            parts = getattr(self.running.model[-1], branch)
            return parts["cls_head"][level](x), parts["box_head"][level](x)

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        """Distances to left, top, right and bottom from the anchor point, the mean of the DFL bins in strides.

        Generalized Focal Loss, https://arxiv.org/abs/2006.04388. Raises UnsupportedModelError for rotated boxes.
        """
        if isinstance(self.detect, heads.OBB):
            raise UnsupportedModelError("The edges of rotated boxes are not explained; take a class logit or score.")
        bins = raw.unflatten(1, (4, self.reg_max))
        if self.reg_max > 1:
            steps = torch.arange(self.reg_max, device=raw.device, dtype=raw.dtype).view(-1, 1, 1)
            bins = bins.softmax(2) * steps
        left_top, right_bottom = bins.sum(2).split(2, 1)
        point = middles(raw.shape[2:], raw)
        return torch.cat((point - left_top, point + right_bottom), 1) * self.levels[level].stride

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
        live = [name for name, path in BRANCHES.items() if getattr(self.detect, path, None) is not None]
        predictor = self._predictor()
        args = predictor.args if predictor is not None else None
        if args is not None and args.nms is False:
            live.reverse()
        return tuple(live)

    def _level(self, index: int) -> Level:
        stride = float(self.detect.stride[index])
        paths = {name: f"model.{self._at}.{BRANCHES[name]}.{index}" for name in self.branches}
        paths = {name: f"{path}.{len(self._convs(name)[index]) - 1}" for name, path in paths.items()}
        box_head = self.detect.cv2 if self.detect.cv2 is not None else self.detect.one2one_cv2
        first = next(module for module in box_head[index].modules() if isinstance(module, nn.Conv2d))
        return Level(index, level_name(stride), stride, first.in_channels, paths)

    def _convs(self, branch: str) -> nn.ModuleList:
        return getattr(self.detect, BRANCHES[branch])

    def _predictor(self):
        """The predictor that runs a copy of this network, or that is still to make one."""
        found = self.yolo.predictor if self.yolo is not None else _predictors.get(self.net)
        return None if strange(found, self.net, self.mark) else found

    def _conv_of(self, runner: nn.Module, level: int, branch: str) -> Iterator[nn.Conv2d]:
        """The class convolution of a runner; none where its branch was removed."""
        convs = getattr(runner.model[-1], BRANCHES[branch], None)
        if convs is not None and level < len(convs) and convs[level][-1] is not self.class_conv(level, branch):
            yield convs[level][-1]

    def _lock(self, predictor) -> PredictorLock:
        return joined_lock(predictor, turns(self.net).passes)

    def _set_up(self, source, args: dict):
        """The shared predictor for these arguments, a copy of it for one stream, and its results, not begun yet.

        Ultralytics itself reads the arguments, in a copy of the YOLO object, and makes a predictor anew where it would.
        One that cannot be made, for a device that is not there, leaves the model with the predictor that it had.
        """
        with turns(self.net).passes:
            shared = self._predictor()
            yolo = apart(self.yolo or wrap(self.net))
            own = None if shared is None or shared.model is None else apart(shared, _lock=nullcontext())
            yolo.predictor = own
            try:
                results = yolo.predict(source, stream=True, **args)
                made = yolo.predictor
            finally:
                yolo.predictor = None  # an error that is kept may keep this object alive
            if made is not own:
                results.close()
                shared = made
                self._lock(shared)  # before others can see it
                self._publish(shared)
                own = apart(shared, _lock=nullcontext(), args=copy(shared.args))
                results = own(source=source, stream=True)
            return shared, own, results

    def _publish(self, predictor) -> None:
        if self.yolo is None:
            _predictors[self.net] = predictor
        else:
            self.yolo.predictor = predictor


def fuse(net: nn.Module) -> nn.Module:
    """Fuse a network, or any block made of Ultralytics' own, in place, by ``BaseModel.fuse``."""
    whole = net
    if not isinstance(net, BaseModel):
        whole = BaseModel()
        whole.model = nn.Sequential(net)
    whole.fuse(verbose=False)
    return net.eval()


def xywh_to_xyxy(boxes: Tensor) -> Tensor:
    """(n, 4) centre-size boxes to corners, with the arithmetic of ``ultralytics.utils.ops.xywh2xyxy``."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return torch.cat((centre - half, centre + half), 1)


def _mark(net: nn.Module) -> Mark:
    """The mark of a network; when it is new, what was made of the network before is looked for once."""
    new = not is_marked(net)
    mark = mark_of(net, KINDS.maker)
    if new:
        look_around(net, mark, KINDS)
    return mark


def _detect_module(net) -> heads.Detect:
    """The detection head of a network; raises UnsupportedModelError where rows are no classes or there is no head."""
    if not isinstance(net, nn.Module):
        raise UnsupportedModelError(
            f"This YOLO object runs an exported file ({net}), whose weights cannot be read or edited here. "
            "Load the PyTorch checkpoint (.pt) that it was exported from."
        )
    last = net.model[-1] if isinstance(getattr(net, "model", None), nn.Sequential) else net
    for kind in type(last).__mro__:
        if kind.__name__ in REFUSED:
            raise UnsupportedModelError(f"{type(last).__name__} is not supported: {REFUSED[kind.__name__]}. {WORKS}")
    if not isinstance(last, heads.Detect):
        raise UnsupportedModelError(f"The last module is {type(last).__name__}, which is no detection head. {WORKS}")
    for path in BRANCHES.values():
        for index, branch in enumerate(getattr(last, path, None) or ()):
            conv = branch[-1]
            if not isinstance(conv, nn.Conv2d) or conv.out_channels != last.nc:
                raise UnsupportedModelError(
                    f"{path}.{index} ends in {conv}, where a Conv2d with one output channel for each of the {last.nc} "
                    f"classes is needed. {WORKS}"
                )
    return last
