"""What a head declares is what runs: its levels, its grids, its anchors, and where its class rows stand."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch

import anatomy
from anatomy.head.levels import SILENT_LOGIT
from tests.class_rows import as_frame
from tests.contract.rows import PICTURE


def test_levels_are_named_by_their_strides(family, model):
    levels = anatomy.levels(model)
    assert tuple(level.name for level in levels) == family.levels
    for index, level in enumerate(levels):
        assert level.index == index
        assert level.stride == 2 ** int(level.name[1:])


def test_every_class_convolution_runs_once_a_level_on_its_grid(family, model, trace):
    if family.second_stage:
        pytest.skip("its rows read pooled proposals, which tests/anatomy/test_two_stages.py holds")
    head = anatomy.describe(model)
    modules = dict(head.net.named_modules())
    convs = {modules[path] for level in head.levels for path in level.paths.values()}
    left = []
    with ExitStack() as hooks, torch.no_grad():
        for conv in convs:
            hook = conv.register_forward_hook(lambda _, inputs, made: left.append(tuple(made.shape[1:])))
            hooks.callback(hook.remove)
        head.call(head.net, torch.zeros(1, 3, *trace.input_shape))
    height, width = trace.input_shape
    rows = [len(head.names) * trace.pyramid.anchors_at(level.index) for level in head.levels]
    if trace.run.chosen is not None:  # of all cells those that were chosen, whatever their level
        assert left == [(len(trace.run.chosen), rows[0])]
        return
    if not family.editable:  # what stands in for rows, such as embeddings, is as long as it likes
        rows, left = [None] * len(rows), [(None, *made[1:]) for made in left]
    shapes = [(int(height / level.stride), int(width / level.stride)) for level in head.levels]
    grids = [(count, *shape) for count, shape in zip(rows, shapes, strict=True)]
    assert sorted(left) == sorted(grids * len(head.branches))
    assert [tuple(level.paths) for level in head.levels] == [tuple(head.branches)] * len(head.levels)


def test_a_level_declares_what_enters_it(family, model, trace):
    height, width = trace.input_shape
    assert trace.shapes == tuple((int(height / level.stride), int(width / level.stride)) for level in trace.levels)
    for level, shape, entered in zip(trace.levels, trace.shapes, trace.run.inputs, strict=False):
        assert entered.shape == (1, level.in_channels, *shape)
    for logits, shape in zip(trace.logits, trace.shapes, strict=True):
        assert logits.shape == (len(trace.names), *shape)


def test_the_declared_convolution_makes_the_logits_of_what_it_reads(edited, family, model, trace):
    if family.second_stage:
        pytest.skip("its rows read pooled proposals, which tests/anatomy/test_two_stages.py holds")
    head = anatomy.describe(model)
    modules = dict(head.net.named_modules())
    for level, features, logits in zip(trace.levels, trace.run.features, trace.logits, strict=True):
        conv = modules[level.paths[trace.branch]]
        assert conv is head.class_conv(level.index, trace.branch)
        with torch.no_grad():
            if isinstance(conv, torch.nn.Linear):
                made = conv(features.clone()[0].permute(1, 2, 0)).permute(2, 0, 1)
            else:
                made = conv(features.clone())[0].unflatten(0, (-1, len(head.names))).amax(0)
        here = logits.amax(0) > SILENT_LOGIT if trace.run.chosen is not None else torch.ones_like(logits[0]).bool()
        torch.testing.assert_close(made[:, here], logits[:, here], rtol=1e-4, atol=1e-4)


def test_where_cells_are_chosen_all_others_are_silent(trace):
    chosen = trace.run.chosen
    if chosen is None:
        return
    silent = torch.ones(trace.pyramid.count, dtype=torch.bool)
    silent[chosen] = False
    assert 0 < silent.sum() < len(silent)
    assert torch.equal((trace.anchor_logits() == SILENT_LOGIT).all(0), silent)
    assert (trace.scores()[:, silent] == 0).all()
    assert set(trace.detections.anchor.tolist()) <= set(chosen.tolist())


def test_levels_share_a_convolution_where_the_row_says_so(edited, family, model):
    head = anatomy.describe(model)
    every = tuple(range(len(head.levels)))
    for branch in head.branches:
        for level in every:
            assert head.sharing(level, branch) == (every if family.shared else (level,))


def test_anchors_are_numbered_level_by_level_row_by_row(family, model, trace):
    places, points = trace.places(), trace.points()
    anchor = 0
    for level, (rows, cols) in enumerate(trace.shapes):
        step = np.array(trace.steps[level])
        for row in range(rows):
            for col in range(cols):
                for turn in range(trace.pyramid.anchors_at(level)):
                    place = places.level[anchor], places.row[anchor], places.col[anchor], places.turn[anchor]
                    assert place == (level, row, col, turn)
                    assert np.allclose(points[anchor], (np.array((col, row)) + trace.grid_offset) * step)
                    anchor += 1
    assert anchor == trace.pyramid.count == len(places.level)


def test_the_original_lies_in_the_input_as_the_letterbox_says(family, model, trace):
    assert np.array_equal(trace.image, PICTURE[..., ::-1])
    there = [[3.0, 4.0], [100.0, 60.0]]
    assert np.allclose(trace.letterbox.to_original(trace.letterbox.to_input(there)), there)
    if trace.frame is not None and trace.input_shape == PICTURE.shape[:2]:
        torch.testing.assert_close(trace.frame, as_frame(PICTURE)[0], rtol=0, atol=1e-6)
