"""The ordinary head that is equal to one that compares with text, put into a network, and the other one again."""

from collections.abc import Mapping
from typing import Any

from torch import nn
from ultralytics.models.yolo.model import YOLO
from ultralytics.nn.modules import head as heads
from ultralytics.nn.tasks import DetectionModel, SegmentationModel, YOLOEModel

from ....head.mark import Mark
from ..class_parts import OF_NETWORK
from ..layout import BOXES, BRANCHES
from ..runners import holders
from .words import filters, is_prompt_free

KINDS = {
    heads.YOLOESegment26: heads.Segment26,
    heads.YOLOESegment: heads.Segment,
    heads.YOLOEDetect: heads.Detect,
    heads.WorldDetect: heads.Detect,
}
MASKS = {"cv5": "cv4", "one2one_cv5": "one2one_cv4"}  # where Segment has what YOLOESegment has
OF_TEXT = {"is_fused", "embed", "conf", "forward"}


def ordinary(head: Any, stacks: Mapping[tuple[str, int], nn.Sequential]) -> nn.Module:
    """The head with these class stacks by (branch, level); all else are its own modules."""
    kind = next(plain for text, plain in KINDS.items() if isinstance(head, text))
    made: Any = kind.__new__(kind)
    nn.Module.__init__(made)
    hidden = {name for name in vars(head) if name.startswith("_") and name != "_end2end"}
    vars(made).update({name: value for name, value in vars(head).items() if name not in hidden | OF_TEXT})
    rows = stacks[next(iter(stacks))][-1]
    made.nc, made.shape, made.type = rows.out_channels, None, f"{kind.__module__}.{kind.__qualname__}"
    made.no = made.nc + 4 * made.reg_max
    for name, part in head.named_children():
        if name in ("cv2", "one2one_cv2", "dfl", "proto"):
            setattr(made, name, part)
        elif name in MASKS:
            setattr(made, MASKS[name], part)
    for branch in dict.fromkeys(branch for branch, _ in stacks):
        setattr(made, BRANCHES[branch], nn.ModuleList(stacks[branch, level] for level in range(head.nl)))
        if is_prompt_free(head):
            setattr(made, BOXES[branch], _whole_boxes(head, branch))
    made.np = sum(value.numel() for value in made.parameters())
    return made


def _whole_boxes(head: Any, branch: str) -> nn.ModuleList:
    """The box stacks of a prompt-free head, each with its last convolution, which the filter has taken from it."""
    pairs = zip(getattr(head, BOXES[branch]), filters(head, branch), strict=True)
    return nn.ModuleList(nn.Sequential(*stack, entry.loc) for stack, entry in pairs)


class Exchange:
    """Puts one head or the other into a network. Predictors that run a copy with the other head are let go of."""

    def __init__(self, net: Any, mark: Mark, made: nn.Module):
        self._mark, self._made, self._head = mark, made, net.model[-1]
        self._kind, self._yaml = type(net), getattr(net, "yaml", None)
        self._of_text = {name: value for name, value in vars(net).items() if name in (*OF_NETWORK, "pe")}
        self._holders = {id(holder): type(holder) for holder in holders(mark, net)}

    def put(self, net: Any) -> None:
        """The ordinary head; a YOLOE network, which then reads no text, becomes an ordinary one without text.

        By its text Ultralytics' exporter knows a head of YOLOE, which it then asks to fuse the text.
        """
        net.model[-1] = self._made
        if isinstance(self._yaml, Mapping):
            net.yaml = _plain_yaml(self._yaml, self._made)
        if issubclass(type(net), YOLOEModel):
            net.__class__ = SegmentationModel if isinstance(self._made, heads.Segment) else DetectionModel
            vars(net).pop("pe", None)
            for holder in holders(self._mark, net):
                holder.__class__ = YOLO
        self._let_go(net)

    def take_back(self, net: Any) -> None:
        """The head that compares with text; names, number of classes and Python classes are as they were."""
        net.model[-1] = self._head
        net.__class__ = self._kind
        for name in OF_NETWORK:
            vars(net).pop(name, None)
        vars(net).update(self._of_text)
        for holder in holders(self._mark, net):
            holder.__class__ = self._holders.get(id(holder), type(holder))
        self._let_go(net)

    def _let_go(self, net: Any) -> None:
        for holder in holders(self._mark, net):
            holder.predictor = None
        for known in (self._mark.runners, self._mark.unclear, self._mark.predictors):
            known.clear()


def _plain_yaml(yaml: Mapping, made: Any) -> dict:
    """The description of the network with the ordinary head at its end."""
    *others, (origin, *_) = yaml["head"]
    more = [made.nm, made.npr] if isinstance(made, heads.Segment) else []
    return {**yaml, "nc": made.nc, "head": [*others, [origin, 1, type(made).__name__, ["nc", *more]]]}
