"""The head of an exported detector, as far as its file shows it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...arguments import share, whole_number
from ...errors import UnsupportedModelError
from ...head.forward import Candidates, Limits, Pass
from ...head.head import Head
from ...head.images import open_images
from ...head.letterbox import Letterbox
from ...head.levels import Level, level_name, select_classes
from ...head.turns import turns
from .ending import Asked, ExportResult, Made, pick, remembered, scores, seen
from .network import Export
from .preprocessing import smallest_input, whole_strides
from .reading import GraphReader
from .saving import edited_file

MOST = 300  # detections of an image, unless asked otherwise: Ultralytics' max_det


class ExportHead(Head):
    """The head of an ``Export``.

    Nothing runs but the file, and only in a pass. A pass takes ``conf``, ``iou`` and ``max_det`` of the selection,
    ``classes`` and ``agnostic_nms``, as Ultralytics' ``predict()`` does; what a file selects by itself, by its own
    numbers, is narrowed by ``conf``, ``classes`` and ``max_det`` alone. ``imgsz`` counts where the file leaves its size
    open; a file of one size is given that size. Logits are what the last class convolutions put out, float32; where the
    file does not show them, they are told from its scores.

    Edited rows are run by onnxruntime itself, one convolution alone on the features of the pass; a row that is another
    row of the file has that one's logits. The file is never written: ``surgery.save`` makes a new one.
    """

    net: Export
    endings = (".onnx",)

    def __init__(self, model: Export):
        self.net, self.names = model, model.names
        one2one = model.metadata.end2end
        self.branches = ("one2one" if one2one else "one2many",)
        self.reg_max = model.reader.reg_max
        self.channels, self.input_size = model.image.channels, model.image.fixed
        self.levels = tuple(self._level(index, stride) for index, stride in enumerate(model.reader.strides))

    def _level(self, index: int, stride: tuple[float, float]) -> Level:
        convs = self.net.classes
        channels = cast(nn.Conv2d, convs[index]).in_channels if len(convs) else 0
        paths = {self.branches[0]: f"classes.{index}"}
        return Level(
            index=index, name=level_name(stride[0]), stride=float(stride[0]), in_channels=channels, paths=paths
        )

    def class_conv(self, level: int, branch: str) -> nn.Conv2d:
        """The class convolution of a level with the rows of the file, or as they were edited since.

        Raises UnsupportedModelError, with the reason, where the file stores no rows that can be edited.
        """
        if self.net.refusal:
            raise UnsupportedModelError(
                f"The class rows of {self.net.path.name!r} cannot be edited or run again: {self.net.refusal}. Edit the "
                "model it was exported from, and export that."
            )
        return cast(nn.Conv2d, self.net.classes[level])

    def twins(self, level: int, branch: str) -> Iterator[nn.Conv2d]:
        """None: the rows of the export are what its passes run."""
        return iter(())

    def _closed(self, method: str) -> UnsupportedModelError:
        return UnsupportedModelError(
            f"The exported file {self.net.path.name!r} does not say how to run its network step by step, which "
            "attribution and receptive fields need. Ask the model that it was exported from; anatomy.equivalent says "
            "whether the two are the same."
        )

    @property
    def beside(self) -> Mapping:
        """What the file carries of edits."""
        return self.net.beside

    def passes(
        self,
        source: Any,
        *,
        conf: float = 0.25,
        iou: float = 0.7,
        imgsz: int | Sequence[int] = 640,
        max_det: int = MOST,
        classes: Any = None,
        agnostic_nms: bool = False,
    ) -> Iterator[Pass]:
        """One run of the file an image; arguments as the class says. TypeError and ValueError for what they cannot be.

        ``classes`` by id or by name.
        """
        asked = self.asked(
            {"conf": conf, "iou": iou, "max_det": max_det, "classes": classes, "agnostic_nms": agnostic_nms}
        )
        size = _size(imgsz)
        for path, image in open_images(source):
            yield self._pass(path, image, self.input_shape((image.shape[0], image.shape[1]), size), asked)

    def asked(self, given: Mapping[str, Any]) -> Asked:
        """What the selection is asked for, checked; by default as ``passes`` has it."""
        classes = given.get("classes")
        most = whole_number(given.get("max_det", MOST), "max_det")
        if most < 0:
            raise ValueError(f"max_det must be 0 or more detections, but {most} was given.")
        return Asked(
            conf=share(given.get("conf", 0.25), "conf"),
            iou=share(given.get("iou", 0.7), "iou"),
            most=most,
            classes=None if classes is None else select_classes(self.names, classes),
            agnostic=bool(given.get("agnostic_nms", False)),
        )

    def input_shape(self, original: tuple[int, int], imgsz: tuple[int, int]) -> tuple[int, int]:
        """The input (h, w) px for an image of (height, width) px: the file's own size, or as Ultralytics finds it."""
        if self.input_size is not None:
            return self.input_size
        stride = round(max(level.stride for level in self.levels))
        whole = whole_strides(imgsz, stride)
        return smallest_input(original, whole, stride) if self.net.preprocessing.fit == "letterbox" else whole

    def _pass(self, path: str, image: np.ndarray, shape: tuple[int, int], asked: Asked) -> Pass:
        frame = self.net.preprocessing.frame(image, shape)
        letterbox = self.net.preprocessing.letterbox((image.shape[0], image.shape[1]), shape)
        return self.pass_of(path, image, frame, letterbox, asked)

    def pass_of(self, path: str, image: np.ndarray, frame: np.ndarray, letterbox: Letterbox, asked: Asked) -> Pass:
        """The pass of an input (1, 3, h, w) float32 that was made of ``image``; ``letterbox`` says where it lies."""
        with turns(self.net).passes.held():
            read = self.net.reader.read(self.net.filled(frame))
            rows = tuple(self._rows(level, read.features[level]) for level in range(len(self.levels)))
            logits = tuple(self._logits(read, level, rows[level]) for level in range(len(self.levels)))
        none = torch.empty(0, dtype=torch.int64)
        run = Pass(
            path=path,
            original=image,
            input_shape=(frame.shape[2], frame.shape[3]),
            branch=self.branches[0],
            features=read.features,
            rows=rows,
            logits=logits,
            box_logits=read.box_logits,
            boxes=read.boxes,
            anchors=none,
            result=None,
            private=Made(read=read, asked=asked, survivors=none),
            frame=torch.from_numpy(frame),
            letterbox=letterbox,
        )
        return self.finish(run)

    def _rows(self, level: int, feature: Tensor) -> tuple[Tensor, Tensor | None]:
        """The rows as they are, float32; without weights where the file stores none that are read."""
        if self.net.refusal:
            return torch.zeros(len(self.names), feature.shape[1], 1, 1), torch.zeros(len(self.names))
        conv = self.class_conv(level, self.branches[0])
        return conv.weight.detach().float().clone(), None if conv.bias is None else conv.bias.detach().float().clone()

    def rerun_level(self, run: Pass, level: int, rows: tuple[Tensor, Tensor | None]) -> Tensor | None:
        """The logits (nc, h, w) of a level with other rows, by the file's own runtime."""
        return self._logits(run.private.read, level, rows)

    def _logits(self, read: Any, level: int, rows: tuple[Tensor, Tensor | None]) -> Tensor:
        """The file's logits where rows are its own, or moved; of the others what its runtime makes of the features."""
        own = read.logits[level]
        if self.net.refusal:
            return own
        order = _rows_among(rows, cast(GraphReader, self.net.reader).rows[level])
        if all(place == row for row, place in enumerate(order)):
            return own
        new = own[[max(place, 0) for place in order]]
        strange = [row for row, place in enumerate(order) if place < 0]
        if strange:
            half = self.class_conv(level, self.branches[0]).weight.dtype
            weight, bias = rows[0].to(half), None if rows[1] is None else rows[1].to(half)
            new[strange] = self.net.reader.class_logits(level, read.features[level].to(half), weight, bias)[strange]
        return new

    @torch.inference_mode()
    def finish(self, run: Pass) -> Pass:
        """Selection and result anew, from the logits of the pass."""
        picked = pick(run)
        run = run.evolve(anchors=picked.anchors, private=remembered(run, picked))
        height, width = run.original.shape[:2]
        boxes = self.letterbox(run).to_original(self.xyxy(run, picked.anchors).numpy())
        boxes = boxes.clip(0, (width, height, width, height)).astype(np.float32)
        result = ExportResult(
            boxes=torch.from_numpy(boxes).view(-1, 4),
            confidence=picked.confidence.clone(),
            class_id=picked.class_id.clone(),
            extras=run.private.read.extras[:, picked.anchors].T.clone(),
        )
        return run.evolve(result=result)

    def found(self, run: Pass) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (n, 4) xyxy px of the original, confidence and class id (n,)."""
        return run.result.boxes, run.result.confidence, run.result.class_id

    @torch.inference_mode()
    def candidates(self, run: Pass) -> Candidates | None:
        """What stood for suppression, in the graph or after it; None where the file takes the best k."""
        chosen = run.private.read.chosen
        return None if chosen is not None and chosen.kind == "topk" else seen(run)

    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        """Boxes (n, 4) xyxy px of the input, as the file decoded them."""
        return run.boxes[:, anchors].T

    def scores(self, run: Pass) -> Tensor:
        """The file's own scores (nc, A); of edited rows the sigmoid of their logits."""
        return scores(run).double()

    def steps(self, run: Pass) -> tuple[tuple[float, float], ...]:
        """(x, y) px from cell to cell: the input's side over the grid."""
        return tuple((run.input_shape[1] / cols, run.input_shape[0] / rows) for rows, cols in run.shapes)

    def limits(self, run: Pass) -> Limits:
        """What was asked, and what the file asks by itself."""
        asked, chosen = run.private.asked, run.private.read.chosen
        conf = asked.conf if chosen is None else max(asked.conf, chosen.conf)
        most = asked.most if chosen is None else min(asked.most, chosen.most)
        return Limits(conf=conf, classes=asked.classes, most=most)

    def writer(self, path: Path, half: bool, beside: Mapping[str, Any]) -> Callable[[BinaryIO], object]:
        """What writes a new ONNX file with the rows as they are; the one that was opened is refused as a place."""
        content = edited_file(self.net, path, beside)
        return partial(_write, content)


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _size(imgsz: Any) -> tuple[int, int]:
    sides = list(imgsz) if isinstance(imgsz, list | tuple) else [imgsz]
    sides = [whole_number(side, "imgsz, sides in px,") for side in sides]
    if not 1 <= len(sides) <= 2 or min(sides) < 1:
        raise ValueError(f"imgsz must be a positive number of px, or (height, width), but {imgsz!r} was given.")
    return sides[0], sides[-1]


def _rows_among(rows: tuple[Tensor, Tensor | None], own: tuple[Tensor, Tensor | None]) -> list[int]:
    """Of each row which of the file's rows it is, bit for bit; -1 where it is none."""
    mine, theirs = _joined(rows), _joined(own)
    found = []
    for index, row in enumerate(mine):
        if torch.equal(row, theirs[index]):
            found.append(index)
            continue
        same = (theirs == row).all(1).nonzero().view(-1)
        found.append(int(same[0]) if len(same) else -1)
    return found


def _joined(rows: tuple[Tensor, Tensor | None]) -> Tensor:
    weight, bias = rows[0].float().flatten(1), rows[1]
    return weight if bias is None else torch.cat((weight, bias.float()[:, None]), 1)
