"""Ultralytics' detectors, YOLOv3 to YOLO26: their heads, their predictors, their checkpoints."""
