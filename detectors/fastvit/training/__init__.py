"""Training of the FastViT detector: data to try it on, the run, the command."""
