"""RT-DETR, https://arxiv.org/abs/2304.08069: its queries, the cells they begin at, and its one set of class rows.

The encoder scores every cell of every level and chooses the surest; at each of them one query begins, and the decoder
layers move and classify it. So a query has a level, a row and a column, and its class rows are one layer for all.
"""

import math
import weakref
from collections.abc import Iterator, Sequence
from typing import Never, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....errors import UnsupportedModelError
from ....head.batches import Batch, in_parts
from ....head.evaluating import evaluation_mode
from ....head.following import Follower
from ....head.forward import Limits, Outputs, Pass
from ....head.head import Head
from ....head.letterbox import Letterbox
from ....head.levels import SILENT_LOGIT, Level, level_name
from ....head.turns import turns
from ..candidates import xywh_to_xyxy
from ..declared import Predictor, QueryDecoder, query_decoder
from ..head import UltralyticsHead
from ..tap import overridden
from .grids import laid_upon, on_grids
from .hearing import Heard, Hearing
from .tap import QueryTap

BRANCH = "one2one"  # a query makes a box, and nothing is suppressed
PROBE = 128  # px of the empty image whose grids say the strides
ANEW = {"shapes": None, "anchors": None, "valid_mask": None}  # what a decoder keeps from one image size to the next
_strides: weakref.WeakKeyDictionary[nn.Module, tuple[int, ...]] = weakref.WeakKeyDictionary()


class QueryHead(UltralyticsHead):
    """The head of RT-DETR. An anchor is a cell of the encoder; those at which no query begins have no class logits.

    The decoder blinds itself to cells whose points lie within 1 % of the input's edge: at 640 px the outermost of P3.
    """

    detect: QueryDecoder
    chooses = True
    module_of = staticmethod(query_decoder)
    targets, listening, noting, evaluated = Head.targets, Head.listening, Head.noting, Head.evaluated

    @property
    def branches(self) -> tuple[str, ...]:
        """The only one."""
        return (BRANCH,)

    def class_conv(self, level: int, branch: str) -> nn.Linear:
        """The class rows of the decoder layer that predicts, one linear layer for all levels."""
        return class_layer(self.net)

    def classified(self, run: Pass) -> Pass:
        """The class rows as they are now, of all queries at once, as the decoder computes them.

        Raises RuntimeError where there are others than as many as in the pass.
        """
        layer, features, chosen = class_layer(self.net), run.private.features, self._chosen(run)
        now = layer.weight.to(features), layer.bias.to(features)
        if now[0].shape != run.rows[0][0].shape:
            raise RuntimeError(
                f"This trace has {len(run.rows[0][0])} class rows, the model now {len(now[0])}. Trace the image again."
            )
        if all(
            old is not None and torch.equal(old, new) for rows in run.rows for old, new in zip(rows, now, strict=True)
        ):
            return run
        logits = F.linear(features, *now)
        grids = on_grids(logits, chosen[None], self.pyramid(run), SILENT_LOGIT)
        rows = now[0].clone(), now[1].clone()
        return run.evolve(logits=tuple(level[0] for level in grids), rows=(rows,) * len(grids))

    def level_shares(self, run: Pass) -> Tensor:
        """Of each detection the share of each level in the deformable attention of each layer, (n, layers, levels)."""
        return run.private.shares[:, run.private.queries].transpose(0, 1)

    def objectness(self, run: Pass) -> tuple[Tensor, ...]:
        """The largest class probability of the encoder, by which it chose the cells."""
        return tuple(level.amax(0).sigmoid() for level in run.private.cell_logits)

    @torch.inference_mode()
    def finish(self, run: Pass) -> Pass:
        """Ranking and result again, as decoder and predictor do it, from the class logits of the pass."""
        return run.private.finish(run, self._chosen(run))

    def candidates(self, run: Pass) -> None:
        """None: nothing is suppressed."""
        return

    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        """Boxes (n, 4) xyxy px of the network input: of the decoder, and of the encoder where no query begins."""
        return xywh_to_xyxy(run.boxes[:, anchors].T)

    def letterbox(self, run: Pass) -> Letterbox:
        """The image is stretched over the whole input; in validation it is letterboxed."""
        if run.letterbox is not None:
            return run.letterbox
        (height, width), (high, wide) = run.original.shape[:2], run.input_shape
        gain = (wide / width, high / height)
        return Letterbox(original_shape=(height, width), input_shape=run.input_shape, gain=gain, pad=(0, 0))

    def limits(self, run: Pass) -> Limits:
        """By the arguments of the pass; the decoder hands on as many pairs of query and class as it has queries."""
        args = run.private.args
        allowed = None if args.classes is None else tuple(torch.as_tensor(args.classes).view(-1).tolist())
        most = min(args.max_det, self.detect.num_queries)
        return Limits(conf=args.conf, classes=allowed, most=most, every_class=True)

    def batches(self, sizes: Sequence[tuple[int, int]], imgsz: int, size: int) -> list[Batch]:
        """In their order, in square frames: its validation takes ``rect=False``."""
        side = math.ceil(imgsz / self.tensor_multiple) * self.tensor_multiple
        return [Batch(indices=part, input_shape=(side, side)) for part in in_parts(range(len(sizes)), size)]

    def forward(self, images: Tensor, branch: str) -> Outputs:
        """What the running network makes of a batch (B, 3, H, W), differentiable.

        Box outputs are (centre, size) as shares of the input; where no query begins, of the encoder.
        """
        with self.undisturbed():
            heard = _run(self.running, images)
        pyramid = heard.pyramid([level.stride for level in self.levels])
        return Outputs(
            inputs=heard.inputs,
            logits=on_grids(heard.logits, heard.chosen, pyramid, SILENT_LOGIT),
            raw=laid_upon(heard.cell_boxes, heard.boxes, heard.chosen, pyramid),
        )

    def level_outputs(self, level: int, x: Tensor, branch: str) -> Never:
        """Refused: no level runs alone."""
        raise UnsupportedModelError(
            "RT-DETR's decoder reads all levels at once, so that none runs alone. What asks one level alone, such as "
            "attribution, has no answer here; Head.forward runs them together."
        )

    def follow(self, follower: Follower) -> None:
        """None for a bare network, whose owner trains it in a loop; Ultralytics' own training is refused."""
        if self._given is not self.net:
            raise UnsupportedModelError(
                "RT-DETR is trained by a matching of queries and objects, in which no cell of a level is assigned, so "
                "its training is not watched."
            )

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        """Shares of the input as px."""
        stride = self.levels[level].stride
        sides = raw.new_tensor([raw.shape[3], raw.shape[2]] * 2) * stride
        centre, half = (raw * sides[:, None, None]).unflatten(1, (2, 2)).unbind(1)
        return torch.cat((centre - half / 2, centre + half / 2), 1)

    def parts(self) -> dict[str, str]:
        """As of other heads; of the decoder what projects the map of one level belongs to it."""
        kept = {path: part for path, part in super().parts().items() if path.count(".") < 2}
        return kept | {f"model.{self._at}.input_proj.{level.index}": f"head {level.name}" for level in self.levels}

    def stacks(self, level: int, branch: str) -> dict[str, tuple[str, ...]]:
        """The class rows and the box layers of the decoder layer that predicts; they serve all levels."""
        last = self.detect.decoder.eval_idx
        return {"class": (self.levels[level].paths[branch],), "box": (f"model.{self._at}.dec_bbox_head.{last}",)}

    @staticmethod
    def _chosen(run: Pass) -> Tensor:
        return cast(Tensor, run.chosen)  # its tap fills it

    def _tap(self, predictor: Predictor, originals: bool) -> QueryTap:
        strides = [level.stride for level in self.levels]
        return QueryTap(predictor, strides, BRANCH, originals=originals)

    def _level(self, index: int) -> Level:
        stride = _measured(self.net, self.channels)[index]
        return Level(
            index=index,
            name=level_name(stride),
            stride=float(stride),
            in_channels=self.detect.input_proj[index][0].in_channels,
            paths={BRANCH: f"model.{self._at}.dec_score_head.{self.detect.decoder.eval_idx}"},
        )

    def _conv_of(self, runner: nn.Module, level: int, branch: str) -> Iterator[nn.Linear]:
        layer = class_layer(runner)
        if layer is not self.class_conv(level, branch):
            yield layer


def class_layer(net: nn.Module) -> nn.Linear:
    """The class rows of the decoder layer that predicts."""
    decoder = query_decoder(net)
    return decoder.dec_score_head[decoder.decoder.eval_idx]


def _run(net: nn.Module, images: Tensor) -> Heard:
    """A run of the network with a cache of its own, as that of the decoder may be of inference mode."""
    decoder = query_decoder(net)
    with overridden(decoder, **ANEW), Hearing(decoder) as hearing:
        net(images)
        return hearing.heard()


def _measured(net: nn.Module, channels: int) -> tuple[int, ...]:
    """The stride of each level, px, from the grids of one small empty image, once a network."""
    if net not in _strides:
        empty = next(net.parameters()).new_zeros(1, channels, PROBE, PROBE)
        with torch.inference_mode(), turns(net).passes.held(), evaluation_mode(net):
            _strides[net] = tuple(PROBE // level.shape[3] for level in _run(net, empty).inputs)
    return _strides[net]
