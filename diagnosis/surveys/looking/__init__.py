"""What is seen in an image: its detections, judged, and its objects, found or missed, as rows of the tables."""
