"""The widget around an ``Explorer``: controls bound to its methods, and the figure in an ipympl canvas."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as w
from ipympl.backend_nbagg import Canvas, FigureManager

from .look import STYLE_SHEET, scale_html
from .picture import LivePicture
from .state import CONTROLS, LIVE, WHAT, Explorer
from .words import facts_html, history_html, legend_html, message_html, table_lines, table_style

LABEL = "52px"
MOST_SHIFT, MOST_BIAS = 20, 8.0
MOST_ROWS = 300
ANY = -1  # a class control that names none; None would leave it blank
HINT = "Click a box; again for the one below it; or click any cell.<br>Dashed: its suppressed rivals. Dotted: gone."


class Panel(w.VBox):
    """Image, controls, table and facts of an explorer; ``explorer`` holds the state, ``picture`` the figure.

    Every control calls a method of the explorer through ``act``, so that an error is shown in the panel.
    """

    def __init__(self, explorer: Explorer):
        self.explorer, self.picture, self._busy = explorer, LivePicture(explorer), False
        self.canvas = Canvas(self.picture.figure)
        FigureManager(self.canvas, 0)
        self.canvas.toolbar_visible = self.canvas.header_visible = False
        self.canvas.footer_visible = self.canvas.resizable = False
        self.canvas.mpl_connect("button_press_event", self._clicked)
        self._make_controls()
        self._bind()
        super().__init__(self._arranged())
        self.add_class("workbench")
        self.refresh()

    def act(self, action: Callable[..., str], *arguments: Any) -> None:
        """Run an action of the explorer and show what came of it."""
        self.explorer.attempt(action, *arguments)
        self.refresh()

    def refresh(self) -> None:
        """Show the explorer as it is now; an error while drawing is shown as well."""
        explorer = self.explorer
        with self._unheard():
            try:
                self._show()
            except Exception as error:
                explorer.message, explorer.failed = f"{type(error).__name__} while drawing: {error}", True
            self.message_html.value = message_html(explorer.message, explorer.failed)

    def _make_controls(self) -> None:
        trace = self.explorer.trace
        classes = [(f"{index}  {name}", index) for index, name in trace.names.items()]
        levels = [("all", "all"), *((level.name, level.index) for level in trace.levels)]
        reach = min(MOST_SHIFT, len(trace.names) - 1)
        self.level = w.ToggleButtons(options=levels, style={"button_width": "52px"})
        self.class_ = w.Dropdown(options=[("any class", ANY), *classes], **_line("class"))
        self.what = w.ToggleButtons(options=WHAT, style={"button_width": "82px"})
        self.follow = w.Checkbox(True, indent=False, layout=w.Layout(width="20px"))
        self.operation = w.ToggleButtons(options=list(CONTROLS), style={"button_width": "82px"})
        self.shift = w.IntSlider(0, -reach, reach, disabled=not reach, **_line("classes"))
        self.bias = w.FloatSlider(0, min=-MOST_BIAS, max=MOST_BIAS, step=0.1, readout_format="+.1f", **_line("logits"))
        self.bias.add_class("workbench-bias")
        self.other = w.Dropdown(options=[("choose …", ANY), *classes], **_line("with"))
        self.apply = w.Button(description="Apply", button_style="primary", layout=_third())
        self.undo = w.Button(description="Undo", icon="undo", layout=_third())
        self.reset = w.Button(description="Reset all", layout=_third())
        self.path = w.Text("edits.json", **_line("file"))
        self.recipe = w.Button(description="Save recipe (.json)", layout=w.Layout(width="49%"))
        self.checkpoint = w.Button(description="Save checkpoint (.pt)", layout=w.Layout(width="49%"))
        self.table = w.Select(rows=14, layout=w.Layout(width="98%"))
        self.head_html, self.facts_html, self.history_html = w.HTML(), w.HTML(), w.HTML()
        self.message_html, self.legend_html, self.scale_html = w.HTML(), w.HTML(), w.HTML()
        self.style_sheet_html = w.HTML()

    def _bind(self) -> None:
        explorer = self.explorer
        self._on(self.level, lambda value: self.act(explorer.look, value))
        self._on(self.class_, lambda value: self.act(explorer.look, None, "any" if value == ANY else value))
        self._on(self.what, lambda value: self.act(explorer.look, None, None, value))
        self._on(self.follow, lambda value: setattr(explorer, "follow", value))
        self._on(self.operation, lambda value: self.act(explorer.keep))
        self._on(self.shift, lambda value: self.act(explorer.slide, "shift", value))
        self._on(self.bias, lambda value: self.act(explorer.slide, "bias", value))
        self._on(self.table, lambda value: value is None or self.act(explorer.select_anchor, value))
        self.apply.on_click(lambda _: self._applied())
        self.undo.on_click(lambda _: self.act(explorer.undo))
        self.reset.on_click(lambda _: self.act(explorer.reset))
        self.recipe.on_click(lambda _: self.act(explorer.save_recipe, self.path.value))
        self.checkpoint.on_click(lambda _: self.act(explorer.save_checkpoint, self.path.value))

    def _on(self, control: w.Widget, action: Callable[[Any], object]) -> None:
        control.observe(lambda change: None if self._busy else action(change["new"]), "value")

    def _clicked(self, event: Any) -> None:
        if event.inaxes is not None:
            self.act(self.explorer.pick, event.xdata, event.ydata)

    def _applied(self) -> None:
        operation = str(self.operation.value)
        if operation in LIVE:
            self.act(self.explorer.keep)
        else:
            asked = CONTROLS[operation].with_class and self.other.value != ANY
            other = self.other.value if asked else None
            self.act(self.explorer.edit, operation, other)

    def _show(self) -> None:
        """Bring every control and text in line with the explorer."""
        explorer, trace = self.explorer, self.explorer.trace
        self.level.value = explorer.levels[0] if len(explorer.levels) == 1 else "all"
        self.class_.value = ANY if explorer.class_id is None else explorer.class_id
        self.what.value, self.follow.value = explorer.what, explorer.follow
        operation, live = str(self.operation.value), explorer.live
        for slider, name in ((self.shift, "shift"), (self.bias, "bias")):
            slider.layout.display = "" if operation == name else "none"
            if live is None:
                slider.value = 0
        self.other.layout.display = "" if CONTROLS[operation].with_class else "none"
        self.apply.description = "Keep" if operation in LIVE else "Apply"
        self.apply.disabled = operation in LIVE and live is None
        self.undo.disabled = self.reset.disabled = not explorer.history
        self._show_table()
        self.facts_html.value = facts_html(explorer.facts(), trace)
        self.history_html.value = history_html(explorer.history, explorer.names_then, live, trace)
        self.legend_html.value = legend_html(explorer.before, trace)
        self.scale_html.value = scale_html(explorer.what, *self.picture.limits())
        self.picture.update()
        self._draw()

    def _draw(self) -> None:
        """Draw at once where a page shows the canvas; else keep a picture in its state for the page that comes."""
        if self.canvas.syncing_data_url:
            self.canvas._repr_mimebundle_()  # draw() leaves a data URL without its head, which breaks the page
        else:
            self.canvas.draw()

    def _show_table(self) -> None:
        rows = self.explorer.rows()[:MOST_ROWS]
        header, lines = table_lines(rows)
        options = [(line, row.anchor) for line, row in zip(lines, rows, strict=True)]
        if options != list(self.table.options):
            self.table.options = options
        here = self.explorer.anchor
        self.table.value = here if any(row.anchor == here for row in rows) else None
        self.head_html.value = f"<pre class='workbench-columns'>{header}</pre>"
        self.style_sheet_html.value = f"<style>{STYLE_SHEET}{table_style(rows)}</style>"

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """Controls that are set inside the block do not act."""
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before

    def _arranged(self) -> list:
        hint = w.HTML(f"<div class='workbench-line'>{HINT}</div>")
        picture = w.VBox([self.canvas, self.scale_html, self.legend_html, hint])
        follow = w.HTML("<span class='workbench-line'>a click turns level and class to what it picks</span>")
        controls = w.VBox(
            [
                _title("Look at"),
                _labelled("level", self.level),
                self.class_,
                _labelled("heat", self.what),
                _labelled("", self.follow, follow),
                _title("Change it"),
                _labelled("edit", self.operation),
                self.shift,
                self.bias,
                self.other,
                w.HBox([self.apply, self.undo, self.reset]),
                self.history_html,
                _title("Save"),
                self.path,
                w.HBox([self.recipe, self.checkpoint]),
                self.message_html,
            ],
            layout=w.Layout(width="414px", margin="0 0 0 12px"),
        )
        table = w.VBox([_title("Detections"), self.head_html, self.table], layout=w.Layout(min_width="490px"))
        facts = w.VBox([_title("The selected cell"), self.facts_html], layout=w.Layout(margin="0 0 0 16px"))
        table.add_class("workbench-table")
        halves = [w.HBox(pair, layout=w.Layout(flex_flow="row wrap")) for pair in ((picture, controls), (table, facts))]
        return [self.style_sheet_html, *halves]


def _title(text: str) -> w.HTML:
    return w.HTML(f"<div class='workbench-title'>{text}</div>")


def _labelled(text: str, *controls: w.Widget) -> w.HBox:
    label = w.Label(text, layout=w.Layout(width=LABEL, justify_content="flex-end", margin="2px 4px 0 2px"))
    return w.HBox([label, *controls])


def _line(description: str) -> dict:
    """The look of a control that takes a whole line."""
    return {"description": description, "layout": w.Layout(width="98%"), "style": {"description_width": LABEL}}


def _third() -> w.Layout:
    return w.Layout(width="33%")
