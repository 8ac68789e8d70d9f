"""One traced forward pass, where its detections come from, its last step run again, and two passes side by side."""
