"""What it costs to listen: a measured forward and backward pass against a plain one, in turns; prints the table.

python benchmarks/numerics.py [--rounds 9] [--write README.md]
"""

import argparse
import os
import sys
from pathlib import Path
from statistics import median
from time import process_time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

torch.set_num_threads(1)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.table import write_table  # noqa: E402
from diagnosis import numerics  # noqa: E402

TARGET = 1.5


def networks():
    """Name, network in training mode, input: a detector and two timm backbones, random weights."""
    import timm
    from ultralytics import YOLO

    yield "YOLOv8n, 320 px", YOLO("yolov8n.yaml").model.train(), torch.rand(1, 3, 320, 320)
    yield "YOLOv8n, 320 px, batch of 8", YOLO("yolov8n.yaml").model.train(), torch.rand(8, 3, 320, 320)
    yield "ConvNeXt atto, 224 px", timm.create_model("convnext_atto").train(), torch.rand(1, 3, 224, 224)
    yield "FastViT T8, 256 px, batch of 2", timm.create_model("fastvit_t8").train(), torch.rand(2, 3, 256, 256)


def objective(outputs) -> torch.Tensor:
    parts = outputs.values() if isinstance(outputs, dict) else [outputs]
    return sum(part.square().mean() for part in parts if isinstance(part, torch.Tensor))


def paired(net, x, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of the processor, of measured and plain passes taken in turns; what else runs does not count."""

    def plain() -> None:
        net.zero_grad(set_to_none=True)
        objective(net(x)).backward()

    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for call, into in ((lambda: numerics(net, x, objective), taken[0]), (plain, taken[1])):
            start = process_time()
            call()
            into.append(process_time() - start)
    return taken[0][1:], taken[1][1:]  # the first of each warms up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", type=Path, help="put the table between the numerics marks of this file")
    options = parser.parse_args()
    lines = ["| `diagnosis.numerics` on | layers | CPU time | plain forward and backward | ratio (median) | target |"]
    lines.append("|---|---|---|---|---|---|")
    for name, net, x in networks():
        torch.manual_seed(0)
        ours, theirs = paired(net, x, options.rounds)
        ratio = median(one / other for one, other in zip(ours, theirs, strict=True))
        count = len(numerics(net, x, objective).layers)
        times = f"{median(ours) * 1e3:.0f} ms | {median(theirs) * 1e3:.0f} ms"
        lines.append(f"| {name} | {count} | {times} | {ratio:.2f} × the time | ≤ {TARGET} × |")
        print(lines[-1], flush=True)
    if options.write:
        write_table(options.write, "numerics", lines)


if __name__ == "__main__":
    main()
