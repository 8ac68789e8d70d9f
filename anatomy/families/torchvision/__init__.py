"""torchvision's FCOS and RetinaNet."""
