"""What explains a level: factors, fewer digits, what another level shows; and what does not follow from a fault."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from diagnosis import TargetLayout, check_targets
from diagnosis.doctor.boxes.carrying import carried
from diagnosis.doctor.boxes.departures import choose
from diagnosis.doctor.boxes.motion import Motion
from diagnosis.doctor.boxes.points import Reference, Unit
from diagnosis.doctor.boxes.scaling import scaled
from diagnosis.doctor.boxes.search import Fit, fits
from diagnosis.doctor.boxes.terms import Term, declared
from diagnosis.doctor.boxes.writing import at_cells, channels, drawn, every_cell
from diagnosis.doctor.targets.cell_map import CellMap
from diagnosis.doctor.targets.placing import Sighting, as_table
from diagnosis.doctor.targets.saying import told
from diagnosis.doctor.targets.shifting import shifted
from tests.diagnosis.doctor.schemes import SCHEMES_BY_NAME as SCHEMES

ONE = ((256, 256),)
BOTH = ((256, 256), (192, 320))


def asked(name, change, sizes=ONE, **fields):
    """Codes of the errors of a right scheme whose outputs were changed, and the report."""
    scheme = SCHEMES[name]
    layout = replace(scheme.layout, **fields)
    report = check_targets(lambda *given: change(scheme(*given), layout), layout, image_sizes=sizes)
    return {finding.code for finding in report.errors}, report


def cells(layout, level=0, size=(64, 96)):
    """A table of boxes at cells of a level, with the channels that hold them."""
    at = every_cell(layout, level, size)[::5]
    boxes = drawn(layout, level, at, 3.0, np.random.default_rng(0))
    return at_cells(layout, level, size, boxes, at, channels(layout, level, size, boxes, at))


# of one channel


def test_a_factor_upon_a_logarithm_is_measured():
    layout = TargetLayout.of("yolox", classes=3)
    table, terms = cells(layout), declared(layout, 0)
    table = replace(table, values=table.values * np.array([1.0, 1, 5, 5]))
    assert [fit.term.gain for fit in scaled(table, 2, terms)] == [5.0]
    assert not scaled(table, 0, terms[:1])  # it holds what is declared


def test_numbers_that_never_change_show_no_factor():
    layout = TargetLayout(strides=(8,), classes=slice(5, 8))
    table = cells(layout)
    table = replace(table, boxes=np.tile([[8.0, 8, 24, 24]], (len(table), 1)), values=np.full((len(table), 4), 3.0))
    assert not scaled(table, 2, declared(layout, 0))


@pytest.mark.parametrize(("kept", "held"), [("whole", 2.0), ("nearest", 3.0), ("bfloat16", 2.640625)])
def test_numbers_kept_in_fewer_digits(kept, held):
    table = cells(TargetLayout(strides=(8,), classes=slice(5, 8)))
    table = replace(table, boxes=np.tile([[0.0, 0, 2.6437, 4]], (len(table), 1)))
    term = Term("w", Unit("px"), kept=kept)
    assert term.predict(table, 2)[0] == held
    assert term.fades == (kept != "bfloat16")


def test_a_term_of_one_level_is_carried_to_another():
    term = Term("cx", Unit("stride", 16.0), Reference("here", 0.5, 8.0), inner=8.0)
    whole, fixed = carried((term,), 8.0, 32.0)
    assert whole == (Term("cx", Unit("stride", 64.0), Reference("here", 0.5, 32.0), inner=32.0),)
    assert fixed == (Term("cx", Unit("stride", 16.0), Reference("here", 0.5, 32.0), inner=32.0),)
    assert not list(carried((Term("w", Unit("other level 1 width")),), 8.0, 16.0))


def test_twice_the_sizes_are_no_other_stride_unless_places_are_of_it_too():
    layout = TargetLayout.of("centernet", classes=3)
    table, terms = cells(layout), declared(layout, 0)
    doubled = replace(table, values=table.values * np.array([1.0, 1, 2, 2]))
    choice = choose([fits(doubled, i, term) for i, term in enumerate(terms)], terms)
    assert choice.codes == ("wrong_box_format",)
    assert choice.runner_up is not None
    assert choice.runner_up.codes == ("wrong_stride",)


def test_of_two_choices_the_dearer_comes_second():
    wanted = declared(TargetLayout(strides=(8,), classes=slice(5, 8)), 0)
    halved = Fit(Term("w", Unit("px"), function="half"), 1.0)
    other = Fit(Term("w", Unit("stride", 2.0)), 1.0)
    found = choose([[Fit(wanted[0], 1.0)], [Fit(wanted[1], 1.0)], [other, halved], [Fit(wanted[3], 1.0)]], wanted)
    assert found.runner_up is not None
    assert found.cost < found.runner_up.cost
    assert found.codes != found.runner_up.codes


def test_a_motion_that_is_a_scale():
    both = ((1.25, 1.25), (0.0, 0.0))
    assert Motion({(64, 64): both, (64, 96): both}).scale == 1.25
    assert Motion({(64, 64): both, (64, 96): ((1.0, 1.0), (0.0, 0.0))}).scale is None
    assert Motion({(64, 64): ((1.25, 1.25), (3.0, 0.0))}).scale is None


def test_what_is_said_of_x_is_not_said_again_of_y():
    x, y = Term("cx", Unit("prior width")), Term("cy", Unit("prior height"))
    w, h = Term("w", Unit("px"), function="log"), Term("h", Unit("px"))
    assert told("xywh", (x, y, w, h), 8) == [
        "x holds the centre's x in prior widths, y likewise",
        "w holds the width in px, as a logarithm",
        "h holds the height in px",
    ]
    assert told("xywh", (y, x, None, None), 8) == [
        "x holds the centre's y in prior heights",
        "y holds the centre's x in prior widths",
    ]


# of cells


def test_one_number_of_two_cells_means_the_nearer():
    """Row 2, column 7 of a grid of 4 x 10, numbered 2 * 4 + 7 = 15, is read as row 1, column 5."""
    found = CellMap(8.0, order="height")
    assert found.intended(np.array([1]), np.array([5]), (4, 10)) == (np.array([3]), np.array([3]))
    assert found.intended(np.array([1]), np.array([5]), (4, 10), (2.4, 7.3)) == (np.array([2]), np.array([7]))
    assert found.intended(np.array([1]), np.array([5]), (4, 10), (3.4, 3.3)) == (np.array([3]), np.array([3]))


def sightings(shift, count=24):
    """Single cells of objects of 8 px on a level of 8 px, ``shift`` rows too low."""
    x, y = np.random.default_rng(0).uniform(64, 192, (2, count))
    box = np.stack((x - 4, y - 4, x + 4, y + 4), 1)
    rows, columns = np.floor(y / 8 + shift).astype(int), np.floor(x / 8).astype(int)
    return [
        Sighting(
            box=box[i], image_size=(256, 256), grid=(32, 32), side=8.0, rows=rows[i : i + 1], columns=columns[i : i + 1]
        )
        for i in range(count)
    ]


def as_tables(seen):
    return {level: as_table(mine) for level, mine in seen.items()}


def test_the_shift_of_one_level_is_not_that_of_the_others():
    layout = TargetLayout.of("yolov5", classes=3)
    maps = {level: CellMap(8.0, seen=24) for level in range(3)}
    layout = replace(layout, strides=(8.0, 8.0, 8.0))
    seen = {0: sightings(-1.0), 1: sightings(0.0), 2: sightings(-0.2)}
    assert [one.shift for one in shifted(maps, seen, as_tables(seen), layout).values()] == [
        (0.0, -1.0),
        (0.0, 0.0),
        (0.0, 0.0),
    ]


def test_cells_that_were_rounded_are_told_where_each_object_has_one():
    layout = TargetLayout.of("yolov3", classes=3, unit="normalized", size_unit=None, relative=False)
    layout = replace(layout, size_function="identity", grid_offset=0.0)
    seen = {0: sightings(0.5)}
    found = shifted({0: CellMap(8.0, seen=24)}, seen, as_tables(seen), layout)
    assert found[0].shift == (0.0, 0.5)


# of whole encoders


def test_undeclared_variances_are_one_unit_and_told_by_their_factor():
    def change(out, layout):
        return torch.cat((out[:, :2] * 10, out[:, 2:4] * 5, out[:, 4:]), 1)

    codes, report = asked("retinanet", change)
    assert codes == {"wrong_box_unit"}
    assert "times 10" in str(report)
    assert "times 5" in str(report)


def test_whole_strides_are_one_finding_though_small_boxes_become_nothing():
    def change(out, layout):
        return [torch.cat((level[:4].trunc(), level[4:])) for level in out]

    codes, report = asked("nanodet-plus", change)
    assert codes == {"wrong_box"}
    assert "cut to whole numbers" in str(report)


def test_bfloat16_is_named():
    codes, report = asked("nanodet", lambda out, layout: [level.bfloat16() for level in out])
    assert codes == {"wrong_box"}
    assert "bfloat16" in str(report)


def test_swapped_channels_do_not_explain_an_empty_level():
    def change(out, layout):
        first, *rest = out
        return [torch.zeros_like(first), *(level[..., [1, 0, 3, 2, *range(4, level.shape[-1])]] for level in rest)]

    assert asked("yolov5", change)[0] == {"axes_swapped", "level_unused"}


def test_one_level_that_was_viewed_and_moved_back():
    def change(out, layout):
        rows_first = out[0].permute(1, 2, 0).contiguous()
        return [rows_first.reshape(out[0].shape).permute(1, 2, 0).contiguous()]

    assert asked("yolov1", change, ((512, 512),), axes="HWC")[0] == {"scrambled_layout"}


def test_peaks_without_a_box_are_classes_that_leak():
    def change(out, layout):
        level = out[0]
        return [torch.cat((level[:4], torch.maximum(level[4:], level[4:].transpose(1, 2))))]

    assert asked("centernet", change)[0] == {"class_leak"}


def test_the_logarithm_of_nothing_is_an_error():
    scheme = SCHEMES["yolov2"]

    def encode(boxes, labels, size):
        out = scheme(boxes, labels, size)
        flat = len(boxes) == 1 and bool((boxes[:, 2:] <= boxes[:, :2]).any())
        return [torch.where(level != 0, -torch.inf, level) for level in out] if flat else out

    report = check_targets(encode, scheme.layout, image_sizes=ONE)
    assert [finding.code for finding in report.errors] == ["non_finite"]


def test_small_objects_that_a_prior_is_like_are_not_lost_by_design():
    scheme = SCHEMES["yolof"]

    def encode(boxes, labels, size):
        kept = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= 20 if len(boxes) else slice(0)
        return scheme(boxes[kept], labels[kept], size)

    report = check_targets(encode, scheme.layout, image_sizes=ONE)
    assert [finding.code for finding in report.errors] == ["object_lost"]
    assert "anchor point" in report.errors[0].message


def test_a_wrong_placement_does_not_explain_why_boxes_outside_raise():
    scheme = SCHEMES["yolov5"]

    def encode(boxes, labels, size):
        end = torch.tensor([size[1], size[0]])
        if bool((boxes < 0).any() | (boxes[:, 2:] > end).any()):
            raise IndexError("index out of range")
        return [level.transpose(1, 2).reshape(level.shape).contiguous() for level in scheme(boxes, labels, size)]

    report = check_targets(encode, scheme.layout, image_sizes=BOTH)
    codes = {finding.code for finding in report.errors}
    assert "edge_crash" in codes
    assert codes <= {"edge_crash", "axes_swapped", "scrambled_layout"}


def test_boxes_that_are_summed_are_one_finding():
    scheme = SCHEMES["yolov1"]

    def encode(boxes, labels, size):
        every = [scheme(boxes[i : i + 1], labels[i : i + 1], size)[0] for i in range(len(boxes))]
        return [torch.stack(every).sum(0).clamp(max=9.0)] if every else scheme(boxes, labels, size)

    report = check_targets(encode, scheme.layout, image_sizes=ONE)
    assert "mixed_objects" in {finding.code for finding in report.errors}


def test_what_would_explain_boxes_nearly_as_simply_is_told():
    def change(out, layout):
        return [torch.cat((out[0][:2], out[0][2:4] * 2, out[0][4:]))]

    codes, report = asked("centernet", change)
    assert codes == {"wrong_box_format"}
    assert report.runner_up == "level 0: w holds the width in strides of 2 px, h likewise"
    assert "nearly as simple:\n    level 0: w holds" in str(report)


@pytest.mark.parametrize("name", ["yolox", "atss", "nanodet-plus"])
def test_small_images_raise_no_alarm(name):
    """Blocks cut by the borders, levels that wait for larger images, cells that predictions choose."""
    report = check_targets(SCHEMES[name], SCHEMES[name].layout, image_sizes=ONE)
    assert report.ok, str(report)


def test_half_of_an_image_without_targets_is_no_choice_of_predictions():
    def change(out, layout):
        kept = [torch.arange(level.shape[0]) < (level.shape[0] + 1) // 2 for level in out]
        return [level * rows[:, None, None] for level, rows in zip(out, kept, strict=True)]

    assert "object_lost" in asked("yolox, simota untrained", change)[0]
