"""The supported heads, as every test table takes them: names of Ultralytics' model files."""

from itertools import product

ONE_BRANCH = [
    "yolov3-tiny",
    "yolov5n",
    "yolov6n",
    "yolov8n",
    "yolov8n-p2",
    "yolov8n-p6",
    "yolov8n-seg",
    "yolov8n-pose",
    "yolov8n-obb",
    "yolov8n-ghost",
    "yolov9t",
    "yolo11n",
    "yolo12n",
]
TWO_BRANCHES = ["yolov10n", "yolo26n", "yolo26n-seg", "yolo26n-pose", "yolo26n-obb"]
FAMILIES = [*ONE_BRANCH, *TWO_BRANCHES]
FUSED = [("yolov8n", None, True), ("yolo11n", None, True), ("yolov10n", None, True), ("yolo26n-seg", False, True)]
# (name, the `nms` argument of predict, fused beforehand): nms=False runs the one-to-one branch
CASES = [*product(ONE_BRANCH, [None], [False]), *product(TWO_BRANCHES, [None, False], [False]), *FUSED]


def label(case) -> str:
    name, nms, fused = case
    return name + {None: "", False: " one2one"}[nms] + (" fused" if fused else "")
