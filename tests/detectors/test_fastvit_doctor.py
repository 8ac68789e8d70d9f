"""The doctor on the published detector: each fault is named by itself, and mended one by one they are gone."""

import pytest
import torch

from detectors.fastvit import FastViTDetector, NaiveDetector, load, save
from detectors.fastvit.published import naive
from detectors.fastvit.published.parts import Parts
from diagnosis import TargetLayout, check_decoder, check_loss, check_targets
from tests.fastvit_nets import SMALL

ENCODER = {  # in an order in which each mend takes one finding away
    "transposed_cell": "axes_swapped",
    "swapped_size": "image_size_swapped",
    "viewed_grid": "scrambled_layout",
    "absolute_offset": "saturated_offset",
    "shared_cell": "class_leak",
    "all_levels": "all_levels_assigned",
}
KINDS = ("curved", "cornered", "spiky")


@pytest.fixture
def net():
    torch.manual_seed(0)
    return NaiveDetector(KINDS, SMALL, branches=1)


def of_targets(net):
    return check_targets(net.encode, TargetLayout(**net.layout), image_sizes=((256, 256), (192, 320))).codes


def of_decoder(net, select=False):
    parts = Parts(net)
    answer = parts.detect if select else parts.decode
    return check_decoder(answer, TargetLayout(**net.layout), prepare=parts.raw).codes


def of_loss(net):
    parts = Parts(net)
    return check_loss(parts.loss, TargetLayout(**net.layout), prepare=parts.predictions, box_channels=range(4)).codes


@pytest.mark.parametrize(("fault", "code"), ENCODER.items())
def test_each_fault_of_the_encoder_is_named_by_itself(net, fault, code):
    net.faults = {fault}
    assert of_targets(net) == (code,)


def test_mended_one_by_one_the_faults_of_the_encoder_are_gone(net):
    left = set(ENCODER.values())
    assert set(of_targets(net)) == left
    for fault, code in ENCODER.items():
        net.faults -= {fault}
        left -= {code}
        assert set(of_targets(net)) == left


def test_the_faults_of_decoder_loss_and_suppression_are_named_and_mended(net):
    net.faults -= ENCODER.keys()
    assert of_decoder(net) == ("scrambled_layout",)
    assert of_loss(net) == ("not_permutation_invariant",)
    net.faults -= {"reshaped_boxes"}
    assert of_loss(net) == ()
    assert of_decoder(net) == ("range_ceiling",)
    net.faults -= {"bounded_size"}
    assert of_decoder(net) == ()
    assert of_decoder(net, select=True) == ("mixed_batch",)
    net.faults -= {"batch_nms"}
    assert of_decoder(net, select=True) == ()
    assert not net.faults


def test_the_repaired_encoder_has_no_finding():
    repaired = FastViTDetector(KINDS, SMALL, branches=1)
    assert check_targets(repaired.encode, TargetLayout(**repaired.layout)).findings == ()


def test_which_faults_are_mended_is_saved(net, tmp_path):
    assert load(save(net, tmp_path / "all.pt")).faults == frozenset(naive.FAULTS)
    net.faults -= {"viewed_grid"}
    assert load(save(net, tmp_path / "fewer.pt")).faults == frozenset(naive.FAULTS) - {"viewed_grid"}
    assert NaiveDetector.faults == frozenset(naive.FAULTS)


def test_raw_outputs_are_what_a_right_decoder_turns_into_the_targets(net):
    boxes, labels = torch.tensor([[20.0, 30, 60, 55], [70, 8, 130, 92]]), torch.tensor([0, 2])
    wanted = [level[None] for level in naive.encode(boxes, labels, (96, 160), 3, ())]
    flat = torch.cat([level.flatten(2) for level in wanted], 2)
    decoded = naive.decode(naive.raw(wanted, ()), ())
    assert torch.allclose(decoded[..., flat[0, 4] > 0], flat[:, :4, flat[0, 4] > 0], atol=1e-2)
