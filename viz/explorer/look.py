"""How an explorer panel looks: its style sheet and the colour scale of the heat."""

from .picture import PALETTE

STYLE_SHEET = """
.workbench .widget-html-content {line-height: 1.35}
.workbench .widget-toggle-button {padding: 0 4px; margin: 2px}
.workbench-title {font-weight: 600; font-size: 13px; margin: 6px 0 2px; border-bottom: 1px solid #8886; width: 100%}
.workbench-line {font-size: 12px; opacity: .9}
.workbench-chip {display: inline-block; padding: 0 5px; border-radius: 3px; font-weight: 600; font-size: 11px}
.workbench-facts {font-size: 12px; min-height: 240px}
.workbench-facts table {border-collapse: collapse; margin: 6px 0; font-variant-numeric: tabular-nums}
.workbench-facts th, .workbench-facts td {padding: 1px 8px; text-align: right; white-space: nowrap}
.workbench-facts th:first-child, .workbench-facts td:first-child {text-align: left}
.workbench-facts th {font-weight: 600; border-bottom: 1px solid #8886}
.workbench-bar {background: linear-gradient(#f0a05a66, #f0a05a66) no-repeat left}
.workbench-head {font-size: 14px}
.workbench-history {font-size: 12px; max-height: 96px; overflow-y: auto}
.workbench-history ol {margin: 2px 0; padding-left: 28px}
.workbench-error {color: #c62828; background: #c6282814; border-left: 3px solid #c62828; padding: 3px 8px}
.workbench-note {border-left: 3px solid #8888; padding: 3px 8px}
.workbench-columns {font: 600 12px/16px monospace; margin: 0; padding-left: 10px}
.workbench-table select {font: 12px/16px monospace; min-height: 260px; width: 100%}
.workbench-table option {border-left: 6px solid transparent; padding: 1px 0 1px 4px}
.workbench-scale {display: inline-block; width: 180px; height: 10px; vertical-align: middle; margin: 0 6px}
"""


def scale_html(what: str, low: float, high: float) -> str:
    """The heat's colours with the values at their ends."""
    if what == "nothing":
        return "<div class='workbench-line'>no heat</div>"
    stops = ", ".join(f"rgba({r},{g},{b},{a / 255:.2f})" for r, g, b, a in PALETTE[::32].tolist())
    words = {"score": "class score", "objectness": "objectness", "logit": "class logit"}[what]
    bar = f"<span class='workbench-scale' style='background:linear-gradient(to right, {stops}), #555'></span>"
    return f"<div class='workbench-line'>{words} {low:g}{bar}{high:.3g}</div>"
