"""The curves of a training, from rows written by hand: what stands where, thinning, findings, the live display."""

import math
import random

import matplotlib
import pytest
import torch

import viz
from diagnosis import Finding, Watch
from diagnosis.training.record import About, Record, WatchLevel
from diagnosis.training.watcher import Watcher
from viz.figures.training.marks import panels_for

LEVELS = (WatchLevel(0, "P3", 8.0), WatchLevel(1, "P4", 16.0))
PER_EPOCH = 40  # batches


def batch_row(step: int, **known) -> dict:
    row = {"step": step, "epoch": step // PER_EPOCH, "batch": step % PER_EPOCH, "rate": 0.01, "loss": 8.0}
    return row | {f"grad_{part}": 2.0 for part in ("backbone", "neck", "head")} | known


def level_row(step: int, level: WatchLevel, branch: str, **known) -> dict:
    row = {"step": step, "branch": branch, "level": level.index, "level_name": level.name, "weight": 1.0}
    row |= {"positives": 10 * (level.index + 1) + step, "target_mass": 4.0, "box": 0.5, "cls": 1.5, "activation": 1.0}
    return row | {"grad_box": 0.1, "grad_class": 0.2} | known


def fill(record: Record, count: int, *, every: int = 10, **odd) -> None:
    """``count`` watched batches; ``odd``: what differs in the columns of P4, of the last batch."""
    for number in range(count):
        step, last = number * every, odd if number == count - 1 else {}
        record.add("batches", [batch_row(step)])
        for branch in record.about.branches:
            for level in LEVELS:
                record.add("levels", [level_row(step, level, branch, **(last if level.index else {}))])
            sizes = [{"size": "small", "objects": 4, "without": 1}, {"size": "large", "objects": 0, "without": 0}]
            record.add("sizes", [{"step": step, "branch": branch, **size} for size in sizes])


def record_of(count: int, branches=("one2many",), folder=None, **odd) -> Record:
    about = About("Net", LEVELS, branches, {0: "cat"}, every=10)
    record = Record.create(about, folder)
    fill(record, count, **odd)
    record.write(now=True)
    return record


def watch_of(count: int, *findings: Finding, **how) -> Watch:
    record = record_of(count, **how)
    for finding in findings:
        record.find(finding)
    return Watch(record=record)


def panel(figure, title: str):
    return next(ax for ax in figure.axes if ax.get_title() == title)


def words(figure) -> str:
    return figure.legends[0].get_title().get_text()


@pytest.fixture(scope="module")
def ten():
    starved = Finding("level_starved", "warning", 1, "P4 has had no positive.", {"began": 30, "branch": "one2many"})
    idle = Finding("no_gradient", "error", 1, "The box stack is idle.", {"began": 80, "stack": "box"})
    return viz.watch(watch_of(10, starved, idle, grad_box=0.0, positives=None, cls=math.inf))


def test_each_row_is_a_point_in_the_colour_of_its_level(ten, artists):
    (fine,) = artists(ten, "positives:P3:one2many")
    assert fine.get_xdata().tolist() == [10 * n for n in range(10)]
    assert fine.get_ydata().tolist() == [10 + 10 * n for n in range(10)]
    assert fine.get_color() == viz.level_color("P3")
    (coarse,) = artists(ten, "positives:P4:one2many")
    assert coarse.get_xdata().tolist() == [10 * n for n in range(9)]  # the last one was not measured
    assert artists(ten, "band:positives:P3:one2many") == []


def test_objects_without_a_positive_are_a_share_of_their_size(ten, artists):
    (small,) = artists(ten, "without:small:one2many")
    assert set(small.get_ydata().tolist()) == {0.25}
    (large,) = artists(ten, "without:large:one2many")
    assert len(large.get_xdata()) == 0  # of no objects there is no share


def test_zeros_of_a_logarithmic_axis_and_what_is_not_finite_are_told_apart(ten, artists):
    assert panel(ten, "gradient of the box stacks").get_yscale() == "log"
    (zero,) = artists(ten, "zero:grad_box:P4:one2many")
    assert zero.get_offsets()[:, 0].tolist() == [90]
    (broken,) = artists(ten, "broken:cls:P4:one2many")
    assert broken.get_offsets()[:, 0].tolist() == [90]
    (line,) = artists(ten, "cls:P4:one2many")
    assert line.get_ydata()[-2] == 1.5 and math.isnan(line.get_ydata()[-1])  # the line breaks off


def test_epochs_are_named_where_they_begin(ten):
    ticks = panel(ten, "learning rate")
    assert ticks.get_xticks().tolist() == [0, 40, 80]
    assert [text.get_text() for text in ticks.get_xticklabels()] == ["1", "2", "3"]


def test_findings_stand_where_they_began_and_in_words_below(ten, artists):
    (number,) = artists(ten, "mark:positives")
    assert (number.get_text(), number.xy[0]) == ("0", 30)
    (number,) = artists(ten, "mark:grad_box")
    assert (number.get_text(), number.xy[0]) == ("1", 80)
    assert artists(ten, "mark:grad_class") == []
    assert words(ten).splitlines()[-2:] == [
        "0  warning: level_starved: P4 has had no positive.",
        "1  error: no_gradient: The box stack is idle.",
    ]
    assert "1 error(s), 1 warning(s)" in ten.get_suptitle()


def test_findings_that_begin_together_share_a_plate_and_the_rest_is_counted(artists):
    found = [Finding("exploding_gradient", "warning", None, f"No. {n}.", {"began": 50 + n}) for n in range(3)]
    figure = viz.watch(watch_of(10, *found), most=2)
    assert [plate.get_text() for plate in artists(figure, "mark:grad")] == ["0 1"]
    assert words(figure).endswith("… and 1 more: print(watch) tells them all.")


def test_many_rows_are_thinned_to_medians_within_a_band_that_hides_nothing(artists):
    figure = viz.watch(watch_of(999, activation=50.0))
    (line,) = artists(figure, "positives:P3:one2many")
    assert len(line.get_xdata()) == 999 / 9 == 111
    assert line.get_xdata()[:2].tolist() == [40, 130]  # the median step of nine
    assert line.get_ydata()[:2].tolist() == [50, 140]
    (band,) = artists(figure, "band:positives:P3:one2many")
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (10, 10 + 9980)
    (spike,) = artists(figure, "band:activation:P4:one2many")
    assert spike.get_paths()[0].vertices[:, 1].max() == 50
    assert "the median of 9 watched batches" in words(figure)


def test_a_value_that_runs_away_makes_its_axis_logarithmic_and_one_near_zero_does_not_stretch_it():
    figure = viz.watch(watch_of(40, cls=1e6, grad_class=1e-30))
    assert panel(figure, "cls loss").get_yscale() == "log"
    assert panel(figure, "box loss").get_yscale() == "linear"
    low, high = panel(figure, "gradient of the class stacks").get_ylim()
    assert 1e-6 < low < 0.2 < high  # which a single number near zero does not stretch


def test_two_branches_are_told_apart_by_dashes(artists):
    watch = watch_of(5, branches=("one2many", "one2one"))
    figure = viz.watch(watch)
    many, one = (artists(figure, f"box:P3:{branch}")[0] for branch in ("one2many", "one2one"))
    assert many.get_color() == one.get_color() == viz.level_color("P3")
    assert many.get_linestyle() != one.get_linestyle()
    alone = viz.watch(watch, branch="one2one")
    assert artists(alone, "box:P3:one2many") == []
    assert artists(alone, "box:P3:one2one")[0].get_linestyle() == one.get_linestyle()
    with pytest.raises(ValueError, match=r"branch must be one of \['one2many', 'one2one'\], but 'both' was given"):
        viz.watch(watch, branch="both")


def test_one_row_is_a_dot_and_none_is_said(artists, pixels):
    single = viz.watch(watch_of(1))
    (line,) = artists(single, "loss:loss")
    assert (line.get_xdata().tolist(), line.get_marker()) == ([0], ".")
    assert pixels(single).any()
    outside = Finding("box_outside", "error", None, "3 boxes leave the image.", {"began": 0})
    empty = viz.watch(watch_of(0, outside))
    assert [text.get_text() for text in artists(empty, "missing")] == ["No batch has been watched yet."]
    assert "3 boxes leave the image." in words(empty)


def test_what_was_not_measured_has_no_panel_and_is_named():
    record = Record.create(About("Net", LEVELS, ("one2many",), {}, every=1), None)
    record.add("batches", [batch_row(0)])
    figure = viz.watch(Watch(record=record))
    assert "positive cells a batch" not in [ax.get_title() for ax in figure.axes]
    assert words(figure).startswith("Not measured: positive cells a batch, target mass a batch,")


def test_a_folder_is_drawn_as_the_watch_itself(tmp_path, artists):
    record_of(3, folder=tmp_path / "watch")
    (line,) = artists(viz.watch(tmp_path / "watch"), "positives:P4:one2many")
    assert line.get_ydata().tolist() == [20, 30, 40]
    with pytest.raises(ValueError, match="live=True follows a training of this process"):
        viz.watch(tmp_path / "watch", live=True)
    with pytest.raises(ValueError, match="read from a folder follows no training"):
        viz.watch(Watch(record=record_of(1)), live=True)


@pytest.fixture
def running():
    """A watcher in the middle of a training, whose record can be filled."""
    watcher = Watcher(10, lambda training: pytest.fail("no training begins here"), None)
    watcher.record = record_of(0)
    return watcher


def test_a_live_display_draws_when_it_is_told_to_and_at_the_end(running):
    live = viz.watch(Watch(watcher=running), live=True, pause=1000)
    picture, line = live.children
    empty = bytes(picture.value)
    assert empty.startswith(b"\x89PNG") and live.drawn == 1
    (told,) = running.listeners
    told(False)
    assert live.drawn == 1  # no row has come
    fill(running.record, 2)
    told(False)
    told(False)
    assert live.drawn == 2 and bytes(picture.value) != empty  # the first row at once, the next one after the pause
    assert line.value == "The training runs: 2 batches watched, 0 finding(s)."
    running.end()
    assert live.drawn == 3 and running.listeners == []
    assert line.value.startswith("The training has ended: 2")


def test_a_closed_display_listens_no_longer_and_one_that_fails_is_left_out(running):
    closed, failing = (viz.watch(Watch(watcher=running), live=True, branch="none") for _ in range(2))
    assert len(running.listeners) == 2
    closed.close()
    assert running.listeners == [failing._told]
    fill(running.record, 1)  # and now it is known that there is no such branch
    with pytest.warns(UserWarning, match="listens to the watch no longer"):
        running._tell(over=False)
    assert running.listeners == [] and running.error is None


def test_drawing_takes_no_random_numbers_and_leaves_no_settings():
    settings, state = dict(matplotlib.rcParams), random.getstate()
    torch_state = torch.get_rng_state()
    viz.watch(watch_of(2))
    assert dict(matplotlib.rcParams) == settings
    assert random.getstate() == state
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_summed_gradients_are_said_to_be_and_a_rate_that_is_not_known_has_no_panel():
    record = Record.create(About("Net", LEVELS, ("one2many",), {}, every=1), None)
    record.add("batches", [batch_row(step, rate=math.nan, accumulated=16) for step in range(3)])
    told = words(viz.watch(Watch(record=record)))
    assert "one of each step of the optimizer, which sums up to 16 batches" in told
    assert "learning rate" in told.partition("Not measured:")[2]


def test_what_was_not_watched_is_refused_in_a_sentence():
    with pytest.raises(TypeError, match=r"what diagnosis\.watch\(model\) returned, or its folder, but dict was given"):
        viz.watch({})


@pytest.mark.parametrize(
    ("code", "evidence", "panels"),
    [
        ("no_gradient", {"item": "cls"}, ["cls"]),
        ("no_gradient", {"stack": "class"}, ["grad_class"]),
        ("exploding_gradient", {}, ["grad", "loss"]),
        ("objects_vanish", {}, ["positives"]),
        ("first_image_only", {}, ["positives"]),
        ("gradients_kept", {}, ["grad"]),
        ("no_step", {}, ["loss"]),
    ],
)
def test_a_finding_is_marked_in_the_panels_that_show_it(code, evidence, panels):
    finding = Finding(code, "error", None, "So it is.", evidence)
    keys = ["positives", "cls", "grad", "grad_box", "grad_class", "loss"]
    assert panels_for(finding, keys, ["cls"]) == panels
