"""Text folded into class rows: equal in every logit, an ordinary head, and the way back."""

import copy
import pickle

import numpy as np
import pytest
import torch
from ultralytics import YOLO
from ultralytics.nn.modules import head as heads

import anatomy
import diagnosis
import surgery
from anatomy.families.ultralytics.text import head as text_head
from tests.class_rows import as_frame
from tests.contract.portrait import assert_same, portrait
from tests.contract.rows import PICTURE
from tests.other_heads import BODY, TEXT, of_text, prompt_free

ASKED = {"imgsz": 128, "conf": 0.25, "agnostic_nms": True}
KINDS = {"world": heads.Detect, "yoloe-seg": heads.Segment, "yoloe-26": heads.Detect}


def outputs(model, part: str) -> dict:
    """What the plain network puts out for the picture, by branch."""
    with torch.no_grad():
        raw = model.model(as_frame(PICTURE))[1]
    return {name: entry[part] for name, entry in raw.items()} if "one2many" in raw else {"one2many": raw[part]}


@pytest.mark.parametrize("kind", KINDS)
def test_an_ordinary_head_gives_the_logits_of_the_text_and_the_very_boxes(kind):
    model = of_text(kind, PICTURE, seed=1)
    logits, boxes = outputs(model, "scores"), outputs(model, "boxes")
    told = surgery.fold_text(model)
    head = model.model.model[-1]
    assert type(head) is KINDS[kind]
    for branch, before in logits.items():
        assert (outputs(model, "scores")[branch] - before).abs().max() < 1e-5
        assert torch.equal(outputs(model, "boxes")[branch], boxes[branch])
    assert [(level.branch, level.level_name) for level in told.levels] == [
        (branch, name) for branch in anatomy.describe(model).branches for name in ("P3", "P4", "P5")
    ]
    assert told.images == 1 and told.difference < 1e-6
    assert all(level.holds and 0 < level.difference < 1e-5 and level.largest > 1 for level in told.levels)
    assert f"text of 4 classes folded into class rows, proven on 1 image(s)\n  {told.levels[0].branch}" in str(told)
    assert anatomy.levels(model)[1].path == told.levels[1].path


def test_a_folded_row_is_the_words_seen_through_the_norm():
    model = of_text("worldv2", PICTURE, seed=2)
    contrast, conv = model.model.model[-1].cv4[1], model.model.model[-1].cv3[1][-1]
    word = model.model.txt_feats[0, 2].double() * 3  # its length does not count
    spread = (contrast.norm.running_var.double() + contrast.norm.eps).sqrt()
    scaled = contrast.logit_scale.double().exp() * word / word.norm() * contrast.norm.weight.double() / spread
    row = (scaled[:, None] * conv.weight[:, :, 0, 0].double()).sum(0)
    centre = (scaled * (conv.bias.double() - contrast.norm.running_mean.double())).sum()
    shift = contrast.logit_scale.double().exp() * (word / word.norm() * contrast.norm.bias.double()).sum()
    surgery.fold_text(model)
    made = anatomy.describe(model).class_conv(1, "one2many")
    assert made.weight[2, :, 0, 0].tolist() == pytest.approx(row.tolist(), abs=1e-6)
    assert made.bias[2].item() == pytest.approx((centre + shift + contrast.bias.double()).item(), abs=1e-5)


def test_the_way_back_is_exact():
    model = of_text("yoloe-seg", PICTURE, seed=3)
    model.predict(PICTURE, verbose=False, **ASKED)
    kind, network, yaml, text = type(model), type(model.model), model.model.yaml, model.model.pe
    before, plain = portrait(model), anatomy.trace(model, PICTURE, **ASKED)
    surgery.fold_text(model)
    assert (type(model), type(model.model).__name__) == (YOLO, "SegmentationModel")
    assert not hasattr(model.model, "pe")  # by which an export takes a head for YOLOE's
    folded = anatomy.trace(model, PICTURE, **ASKED)
    assert folded.detections.anchor.tolist() == plain.detections.anchor.tolist() and len(folded.detections) > 5
    with pytest.raises(RuntimeError, match=r"another head \(by fold_text\)"):
        plain.replay()
    edit = surgery.shift_classes(model, "P4", 1)
    assert len(surgery.history(model)) == 1
    assert surgery.undo(model, 2) == (edit,)
    assert_same(before, portrait(model))
    assert (type(model), type(model.model), model.model.yaml) == (kind, network, yaml) and model.model.pe is text
    assert anatomy.trace(model, PICTURE, **ASKED).to_df().equals(plain.to_df())
    with pytest.raises(RuntimeError, match=r"another head \(by fold_text\)"):
        folded.replay()
    assert plain.replay().to_df().equals(plain.to_df())
    with pytest.raises(ValueError, match=r"0 edit\(s\) are recorded"):
        surgery.undo(model)


def test_scratch_puts_back_whichever_head_there_was():
    model = of_text("worldv2", PICTURE, seed=4)
    text = portrait(model)
    with surgery.scratch(model):
        surgery.fold_text(model)
        surgery.mute_level(model, "P3")
    assert_same(text, portrait(model))
    surgery.fold_text(model)
    folded = portrait(model)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012, SIM117
        with surgery.scratch(model):
            surgery.zero_classes(model, "all", "cat")
            assert surgery.unfold_text(model) and not surgery.unfold_text(model)
            assert_same(text, portrait(model))
            raise KeyboardInterrupt
    assert_same(folded, portrait(model))
    copied = copy.deepcopy(model)
    assert not surgery.unfold_text(copied) and not surgery.unfold_text(pickle.loads(pickle.dumps(copied)))
    surgery.forget(model)
    assert surgery.reset(model) == () and not surgery.unfold_text(model)
    assert_same(folded, portrait(model))


@pytest.mark.parametrize("kind", ["worldv2", "yoloe-26"])
def test_whole_classes_of_a_folded_head_go_with_the_fold(kind):
    model = of_text(kind, PICTURE, seed=6)
    model.model.names = list(model.names.values())  # as `set_classes` leaves them
    names, plain = model.model.names, anatomy.trace(model, PICTURE, **ASKED)
    before = portrait(model)
    with surgery.scratch(model):
        surgery.fold_text(model)
        surgery.keep_classes(model, ["owl", "dog"])
        surgery.merge_classes(model, {"pet": ["owl", "dog"]})
    assert_same(before, portrait(model))
    assert model.model.names is names and model.model.yaml["nc"] == len(names)
    surgery.fold_text(model)
    surgery.keep_classes(model, ["owl"])
    surgery.undo(model)
    surgery.rename_classes(model, {"owl": "bird"})
    with surgery.scratch(model):
        surgery.unfold_text(model)
        assert model.model.names is names
    assert model.names[2] == "bird" and len(surgery.history(model)) == 1
    assert surgery.unfold_text(model)
    assert_same(before, portrait(model))
    assert model.model.names is names
    assert anatomy.trace(model, PICTURE, **ASKED).to_df().equals(plain.to_df())


@pytest.mark.parametrize("kind", ["yoloe", "yoloe-26"])
def test_a_filter_of_proposals_becomes_part_of_the_rows(kind):
    model, apart = prompt_free(kind, PICTURE, seed=0), {**ASKED, "agnostic_nms": False, "conf": 0.15}
    plain = model.predict(PICTURE, verbose=False, **apart)[0].boxes.data
    with pytest.raises(anatomy.UnsupportedModelError, match=r"prompt-free: a filter leaves cells out.*fold_text"):
        anatomy.trace(model, PICTURE, **apart)
    before = portrait(model)
    told = surgery.fold_text(model, PICTURE, **apart)
    first, second, last = told.levels[:3]
    assert first.left_out > 0 and first.beyond < -5 and second.left_out > 0
    assert last.left_out == 0 and last.beyond is None
    trace = anatomy.trace(model, PICTURE, **apart)
    assert len(plain) > 5 and torch.allclose(trace.result.boxes.data, plain, atol=1e-5)
    surgery.reset(model)
    assert_same(before, portrait(model))
    assert torch.equal(model.predict(PICTURE, verbose=False, **apart)[0].boxes.data, plain)


def test_text_that_ultralytics_fused_is_taken_as_it_is():
    model = of_text("yoloe", PICTURE, seed=5)
    model.model.model[-1].fuse(model.model.pe)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"cannot be asked about its training.*fold_text"):
        diagnosis.watch(model)
    logits = outputs(model, "scores")["one2many"]
    with pytest.raises(anatomy.UnsupportedModelError, match=r"fold_text"):
        surgery.mute_level(model, 0)
    assert surgery.fold_text(model).difference == 0
    assert torch.equal(outputs(model, "scores")["one2many"], logits)


def test_a_folded_world_opens_in_plain_ultralytics(tmp_path):
    model = of_text("world", PICTURE, seed=6)
    surgery.fold_text(model)
    surgery.swap_classes(model, "all", "cat", "fox")
    here = model.predict(PICTURE, verbose=False, **ASKED)[0].boxes.data
    path = surgery.save(model, tmp_path / "world.pt")
    assert torch.equal(YOLO(path).predict(PICTURE, verbose=False, **ASKED)[0].boxes.data, here)
    opened = surgery.load(path)
    assert len(surgery.history(opened)) == 1 and not surgery.unfold_text(opened)


def test_rows_that_are_not_equal_are_refused_and_nothing_is_changed(monkeypatch):
    model = of_text("worldv2", PICTURE, seed=7)
    before, genuine = portrait(model), text_head.folded

    def wrong(*given):
        made = genuine(*given)
        with torch.no_grad():
            made[-1].bias[1] += 1e-3
        return made

    monkeypatch.setattr(text_head, "folded", wrong)
    with pytest.raises(RuntimeError, match=r"(?s)must give the logits of the text.*Nothing is changed.*P3.*differ by"):
        surgery.fold_text(model)
    assert_same(before, portrait(model))
    assert not surgery.unfold_text(model)


def test_a_replay_knows_the_text_as_it_is_now():
    model = of_text("worldv2", PICTURE, seed=8)
    trace = anatomy.trace(model, PICTURE, **ASKED)
    model.model.txt_feats = model.model.txt_feats[:, [1, 0, 2, 3]]
    model.predictor = None
    fresh = anatomy.trace(model, PICTURE, **ASKED)
    assert trace.replay().to_df().equals(fresh.to_df())
    assert not np.array_equal(trace.detections.class_id, fresh.detections.class_id)
    model.model.txt_feats = model.model.txt_feats[:, :3]
    with pytest.raises(RuntimeError, match=r"This trace has 4 classes, the model now 3"):
        trace.replay()


def test_where_there_is_no_text_it_is_said():
    model = of_text("yoloe", PICTURE, seed=9)
    surgery.fold_text(model)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"has class rows of its own: there is no text to fold"):
        surgery.fold_text(model)
    kind, head = TEXT["yoloe"]
    bare = kind({"nc": 4, "backbone": BODY, "head": [[[2, 3, 4], 1, *head]]}, verbose=False)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"no vocabulary yet.*model\.set_classes\(names\)"):
        surgery.fold_text(bare)
    with pytest.raises(anatomy.UnsupportedModelError, match="is a head alone"):
        anatomy.levels(bare.model[-1])
