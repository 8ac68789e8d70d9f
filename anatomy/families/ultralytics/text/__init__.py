"""YOLO-World and YOLOE: heads that compare features with text, and their text folded into class rows."""
