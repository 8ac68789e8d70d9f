"""Findings of a training: where each began, and what they say."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes

from diagnosis import Finding

from .panels import BROKEN

PANELS = {  # code -> the panels in which it shows; "items": those of all loss items
    "level_starved": ("positives",),
    "class_starved": ("positives",),
    "class_absent": ("positives",),
    "no_objects": ("positives",),
    "objects_vanish": ("positives",),
    "first_image_only": ("positives",),
    "images_left_out": ("positives",),
    "no_backward": ("grad", "loss"),
    "unreachable_objects": ("without",),
    "range_ceiling": ("without",),
    "box_outside": ("without",),
    "class_outside": ("without",),
    "loss_dominated": ("items",),
    "exploding_gradient": ("grad", "loss"),
    "gradients_kept": ("grad",),
    "non_finite": ("grad", "loss"),
}
COLORS = {"error": BROKEN, "warning": "0.3"}
NEAR = 0.05  # of an axis: marks that stand closer share one
LETTERS = 128  # on a line of text as wide as two columns


def panels_for(finding: Finding, keys: Sequence[str], items: Sequence[str]) -> list[str]:
    """The panels, of those that there are, in which a finding is marked."""
    if finding.code == "no_gradient":
        item, stack = finding.evidence.get("item"), finding.evidence.get("stack")
        wanted: Sequence[str] = (str(item),) if item is not None else (f"grad_{stack}",)
    else:
        wanted = PANELS.get(finding.code, ("loss",))
    named = [key for name in wanted for key in (items if name == "items" else [name])]
    return [key for key in named if key in keys]


def mark(ax: Axes, findings: Sequence[tuple[int, Finding]], gid: str) -> None:
    """A line where each finding began, and its number at the upper edge; those that are near share a number plate."""
    low, high = ax.get_xlim()
    plates: list[tuple[float, list[tuple[int, Finding]]]] = []
    for number, finding in sorted(findings, key=lambda pair: (began(pair[1]), pair[0])):
        at = min(max(began(finding), low), high)
        if not plates or at - plates[-1][0] > NEAR * (high - low):
            plates.append((at, []))
        plates[-1][1].append((number, finding))
    for at, told in plates:
        worst = min((finding.severity for _, finding in told), key=list(COLORS).index)
        numbers = " ".join(str(number) for number, _ in sorted(told, key=lambda pair: pair[0]))
        color = COLORS[worst]
        ax.axvline(at, color=color, linewidth=0.7, linestyle=(0, (2, 1.5)), zorder=1.5, gid=f"began:{gid}")
        ax.annotate(
            numbers,
            (at, 0.98),
            xycoords=ax.get_xaxis_transform(),
            ha="center",
            va="top",
            fontsize=5.5,
            color="white",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": color, "edgecolor": "none"},
            zorder=6,
            gid=f"mark:{gid}",
        ).set_in_layout(False)


def began(finding: Finding) -> float:
    """The step at which a finding began; 0 where it does not say."""
    step = finding.evidence.get("began")
    return float(step) if isinstance(step, int | float) else 0.0


def sentences(findings: Sequence[Finding], most: int, share: float) -> list[str]:
    """The first ``most`` findings in words, numbered from 0, on lines that fit ``share`` of two columns."""
    letters = max(int(LETTERS * share), 30)
    told = [
        textwrap.fill(
            f"{number}  {finding.severity}: {finding.code}: {finding.message}", letters, subsequent_indent="    "
        )
        for number, finding in enumerate(findings[:most])
    ]
    left = len(findings) - most
    return told + ([f"… and {left} more: print(watch) tells them all."] if left > 0 else [])
