"""The explorer without a widget: what each control does, as plain calls, with its errors."""

import resource
import signal

import numpy as np
import pytest
import torch

import surgery
import viz
from detectors import demo_scene
from viz.explorer.facts import explain, index_of
from viz.explorer.words import facts_html, history_html, message_html, table_lines, table_style

IMAGE = demo_scene().image[..., ::-1]


def rows(model):
    return {name: value.clone() for name, value in model.model.state_dict().items()}


def same(model, before) -> bool:
    return all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())


# looking and picking


def test_it_opens_on_the_surest_detection_with_everything_in_focus(explorer):
    assert explorer.levels == (0, 1, 2) and explorer.class_id is None and explorer.what == "score"
    assert explorer.facts().detection == 0
    assert explorer.message == "12 detections." and explorer.history == ()


def test_the_focus_takes_names_and_ids(explorer):
    explorer.look("P4", "disc", "logit")
    assert explorer.levels == (1,) and explorer.trace.names[explorer.class_id] == "disc" and explorer.what == "logit"
    explorer.look("all", "any")
    assert explorer.levels == (0, 1, 2) and explorer.class_id is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("P9",), "Level 'P9' does not exist"),
        ((7,), "Level 7 is out of range"),
        (("P3", "unicorn"), "Class 'unicorn' does not exist"),
        (("P3", 99), "Class 99 is out of range"),
        ((None, None, "colour"), "what must be one of 'score'"),
    ],
)
def test_a_focus_that_does_not_exist_is_refused_and_changes_nothing(explorer, arguments, says):
    assert not explorer.attempt(explorer.look, *arguments)
    assert says in explorer.message and explorer.failed
    assert (explorer.levels, explorer.class_id, explorer.what) == ((0, 1, 2), None, "score")


def test_a_pick_takes_the_smallest_box_and_then_the_one_below(explorer):
    found = explorer.trace.detections
    big = found.class_name.index("crescent")
    small = next(i for i in range(len(found)) if i != big and (found.xyxy[i, :2] > found.xyxy[big, :2]).all()
                 and (found.xyxy[i, 2:] < found.xyxy[big, 2:]).all())  # fmt: skip
    x, y = (found.xyxy[small, :2] + found.xyxy[small, 2:]) / 2
    seen = []
    for _ in range(3):
        explorer.pick(x, y)
        seen.append(explorer.facts().detection)
    assert seen == [small, big, small]


def test_the_focus_follows_what_is_picked_unless_told_otherwise(explorer):
    explorer.select(2)
    assert explorer.levels == (int(explorer.trace.detections.level[2]),)
    assert explorer.class_id == explorer.trace.detections.class_id[2]
    explorer.look("all", "any")
    explorer.follow = False
    explorer.select(3)
    assert explorer.levels == (0, 1, 2) and explorer.class_id is None


@pytest.mark.parametrize("point", [(1, 478), (-5, 9999), (639.9, 0)])
def test_where_there_is_no_box_the_cell_answers(explorer, point):
    explorer.look("P4")
    explorer.pick(*point)
    facts = explorer.facts()
    assert facts.detection is None and facts.level_name == "P4"
    assert facts.verdict.startswith("No detection: ")
    low = facts.center - facts.stride / 2
    assert ((low <= np.clip(point, 0, (639, 479))) & (np.clip(point, 0, (639, 479)) <= low + facts.stride)).all()


def test_there_is_no_detection_beyond_the_last(explorer):
    with pytest.raises(IndexError, match="Detection 12 does not exist: there are 12"):
        explorer.select(12)
    with pytest.raises(ValueError, match="Anchors run from 0"):
        explorer.select_anchor(10**6)


# facts


def test_facts_of_a_detection_agree_with_the_trace(explorer):
    trace = explorer.trace
    for i in range(len(trace.detections)):
        facts, found = explain(trace, int(trace.detections.anchor[i])), trace.detections
        assert (facts.detection, facts.level, facts.row, facts.col) == (i, found.level[i], found.row[i], found.col[i])
        assert facts.confidence == pytest.approx(float(found.confidence[i]))
        assert np.allclose(facts.center, found.center[i])
        assert facts.classes[0] == found.class_id[i] and len(set(facts.classes)) == 5
        own = 1 / (1 + np.exp(-found.logits[i, list(facts.classes)]))
        assert np.allclose(facts.scores[:, facts.level], own, atol=1e-6)
        bins = trace.distribution(i)
        means = (bins * torch.arange(trace.reg_max)).sum(1).numpy() * facts.stride
        assert np.allclose(facts.sides, means, atol=1e-2)
        entropy = [-sum(p * np.log2(p) for p in side if p > 0) for side in bins.double().tolist()]
        assert np.allclose(facts.entropy, entropy)


def test_the_same_spot_lies_over_or_inside_the_cell(explorer):
    trace = explorer.trace
    for i in range(len(trace.detections)):
        facts = explain(trace, int(trace.detections.anchor[i]))
        for level, (row, col) in enumerate(facts.places):
            stride = trace.levels[level].stride
            mine = np.array([facts.row, facts.col]) * facts.stride
            theirs = np.array([row, col]) * stride
            assert (theirs < mine + facts.stride).all() and (mine < theirs + stride).all()
        assert facts.places[facts.level] == (facts.row, facts.col)


def test_a_suppressed_cell_names_its_winner(explorer):
    found = explorer.trace.detections
    rival = int(found.suppressed[0].anchor[0])
    facts = explain(explorer.trace, rival)
    assert facts.detection is None and facts.lost_to == 0
    assert f"suppressed by {found.class_name[0]} {found.confidence[0]:.2f}" in facts.verdict
    assert facts.entropy is None and "Bins are kept for detections only" in facts.no_entropy


def test_without_bins_a_sentence_stands_for_the_entropy(stage, hot):
    trace = stage((96, 128), [hot(1, 2, 3)], reg_max=1)
    facts = explain(trace, int(trace.detections.anchor[0]))
    assert facts.entropy is None and "reg_max = 1" in facts.no_entropy
    assert "reg_max = 1" in facts_html(facts, trace)
    assert facts.sides.tolist() == [24.0] * 4


# editing


def test_a_slider_holds_one_edit(explorer, model):
    before = rows(model)
    explorer.select(0)
    for delta in (-0.5, -1.0, -1.5):
        explorer.slide("bias", delta)
    (edit,) = explorer.history
    assert edit.parameters == {"delta": -1.5} and edit is explorer.live
    assert "was 0.95" in explorer.rows()[0].change
    fresh = viz.Explorer(model, IMAGE)
    assert np.array_equal(fresh.trace.detections.confidence, explorer.trace.detections.confidence)
    explorer.slide("bias", 0)
    assert explorer.history == () and explorer.live is None and same(model, before)


@pytest.mark.parametrize("touch", ["look", "keep", "edit", "select"])
def test_touching_something_else_keeps_the_edit(explorer, touch):
    explorer.slide("shift", 2)
    {
        "look": lambda: explorer.look("P3"),
        "keep": explorer.keep,
        "edit": lambda: explorer.edit("silence"),
        "select": lambda: explorer.select(2),
    }[touch]()
    count = len(explorer.history)
    explorer.slide("shift", 3)
    assert len(explorer.history) == count + 1 and explorer.history[0].parameters == {"k": 2}


def test_an_edit_from_elsewhere_is_not_taken_back_by_the_slider(explorer, model):
    explorer.slide("shift", 2)
    surgery.mute_level(model, "P3")
    explorer.slide("shift", 3)
    assert [edit.operation for edit in explorer.history] == ["shift_classes", "mute_level", "shift_classes"]


def test_every_operation_goes_to_the_focus_and_back(explorer, model):
    before = rows(model)
    explorer.look("P4", "disc")
    explorer.edit("shift", 1)
    explorer.edit("bias", -1.0)
    explorer.edit("swap", "ring")
    explorer.edit("silence")
    assert [edit.levels for edit in explorer.history] == [(1,)] * 4
    assert not same(model, before)
    assert "Taken back: P4: disc silenced" in explorer.undo()
    explorer.reset()
    assert same(model, before) and explorer.history == ()
    assert np.array_equal(explorer.trace.detections.xyxy, explorer.before.detections.xyxy)


def test_the_selected_cell_stays_and_tells_that_its_detection_is_gone(explorer):
    explorer.select(0)
    anchor, name = explorer.anchor, explorer.facts().class_name
    explorer.edit("silence")
    facts = explorer.facts()
    assert explorer.anchor == anchor and facts.detection is None
    assert facts.verdict.startswith(f"Gone: it was {name} 0.95; now ")
    assert facts.entropy is not None  # of the trace at the start: no class edit moves a box
    assert explorer.rows()[0].change == "gone" and explorer.rows()[0].detection is None
    explorer.undo()
    assert explorer.facts().verdict == "A detection, as before the edits."


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (lambda e: e.edit("paint"), "There is no operation 'paint'"),
        (lambda e: e.edit("swap", 1), "A swap needs two classes"),
        (lambda e: e.slide("silence", 1), "A slider moves 'shift' or 'bias'"),
        (lambda e: e.slide("bias", float("inf")), "delta must be finite"),
        (lambda e: e.slide("bias", 3e38), "infinite"),
        (lambda e: e.edit("shift", 0.5), "k, the shift in classes, must be a whole number"),
        (lambda e: e.undo() and e.undo(), "nothing to undo"),
    ],
)
def test_an_edit_that_fails_leaves_everything_as_it_was(explorer, model, action, says):
    explorer.slide("bias", 1.0)
    before, found = rows(model), explorer.trace.detections
    if says == "infinite":
        explorer.slide("bias", 3e38)  # float32 holds it once
        explorer.keep()
        before, found = rows(model), explorer.trace.detections
    assert not explorer.attempt(action, explorer)
    assert says in explorer.message
    if says != "nothing to undo":
        assert same(model, before)
        assert np.array_equal(explorer.trace.detections.confidence, found.confidence)


def test_a_live_edit_survives_an_error_in_its_place(explorer, model):
    explorer.slide("bias", -1.0)
    before = rows(model)
    assert not explorer.attempt(explorer.slide, "bias", float("nan"))
    assert same(model, before) and len(explorer.history) == 1 and explorer.live is not None
    explorer.slide("bias", -2.0)
    assert [edit.parameters for edit in explorer.history] == [{"delta": -2.0}]


# saving


def test_a_recipe_and_a_checkpoint_are_saved(explorer, tmp_path):
    explorer.look("P4", "disc")
    explorer.slide("bias", 1.0)
    assert explorer.save_recipe(tmp_path / "edits.json") == f"1 edit(s) written to {tmp_path / 'edits.json'}."
    assert surgery.read_recipe(tmp_path / "edits.json") == explorer.history
    explorer.save_checkpoint(str(tmp_path / "edited.pt"))
    again = viz.Explorer(surgery.load(tmp_path / "edited.pt"), IMAGE)
    assert np.array_equal(again.trace.detections.confidence, explorer.trace.detections.confidence)


@pytest.mark.parametrize(
    ("save", "path", "says"),
    [
        ("save_recipe", "", "Give the name of a file that ends in .json"),
        ("save_recipe", "edits.txt", "must end in .json, but 'edits.txt' was given"),
        ("save_recipe", "no/edits.json", "There is no folder"),
        ("save_recipe", "folder.json", "is a folder"),
        ("save_checkpoint", "edits.json", "must end in .pt"),
        ("save_checkpoint", "no/edited.pt", "There is no folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_an_error_in_the_panel(explorer, tmp_path, monkeypatch, save, path, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    assert not explorer.attempt(getattr(explorer, save), path)
    assert says in explorer.message
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.json"]


@pytest.mark.parametrize(("save", "name"), [("save_recipe", "edits.json"), ("save_checkpoint", "edited.pt")])
def test_a_full_disk_leaves_the_old_file_whole(explorer, tmp_path, save, name):
    explorer.edit("shift", 1)
    (tmp_path / name).write_text("old")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
        well = explorer.attempt(getattr(explorer, save), tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not well and f"{name}' was not written" in explorer.message
    assert (tmp_path / name).read_text() == "old" and len(list(tmp_path.iterdir())) == 1


# words


def test_the_table_tells_what_changed(explorer):
    explorer.look("P5")
    explorer.edit("shift", 1)
    header, lines = table_lines(explorer.rows())
    assert header.split("\u00a0")[-3:] == ["since", "the", "start"]
    text = [line.replace("\u00a0", " ") for line in lines]
    moved = [line for line in text if "was " in line]
    assert len(moved) == 2 and all(" P5 " in line for line in moved)
    assert text[0].split() == ["0", "disc", "0.95", "P4", "(25,", "21)", "8"]
    assert len({line.index("P") for line in lines if "P" in line}) == 1  # columns stand below one another
    assert ".workbench-table option:nth-child(1)" in table_style(explorer.rows())


def test_what_a_name_holds_is_shown_and_not_run():
    assert message_html("<b>&", True).count("&lt;b&gt;&amp;") == 1
    assert "workbench-error" in message_html("x", True) and "workbench-note" in message_html("x", False)
    assert message_html("", False) == ""


def test_the_history_is_told_in_words(explorer):
    explorer.look(["P3", "P4"], "disc")
    explorer.slide("bias", -1.5)
    assert "P3, P4: disc biased by -1.50 <em>(live)</em>" in history_html(
        explorer.history, explorer.names_then, explorer.live, explorer.trace
    )


def test_an_edit_is_told_by_the_names_that_classes_had_when_it_was_made(explorer, model):
    surgery.bias_classes(model, "P4", "cross", 2.0)
    surgery.keep_classes(model, ["disc", "star"])
    surgery.bias_classes(model, "P3", "star", 1.0)
    told = history_html(explorer.history, explorer.names_then, None, explorer.trace)
    assert "<li>P4: cross biased by +2.00</li><li>head: 2 classes kept: disc, star</li><li>P3: star biased" in told
    said = "Taken back: P3: star biased by +1.00; head: 2 classes kept: disc, star; P4: cross biased by +2.00. "
    assert explorer.reset().startswith(said)


def test_an_anchor_is_found_among_detections(explorer):
    found = explorer.trace.detections
    assert index_of(explorer.trace, None) is None
    assert index_of(explorer.trace, int(found.anchor[4])) == 4
    assert explorer.trace.places(found.anchor).level.tolist() == found.level.tolist()


def test_the_panel_follows_classes_that_were_kept_elsewhere(explorer, model):
    explorer.look("P4", "bolt")
    surgery.keep_classes(model, ["star", "disc"])
    explorer.edit("bias", 0.5)
    assert explorer.trace.names == {0: "star", 1: "disc"} and explorer.class_id is None
    assert [edit.operation for edit in explorer.history] == ["keep_classes", "bias_classes"]
    assert explorer.history[1].classes == (0, 1)
    explorer.reset()
    assert len(explorer.trace.names) == 12
