"""What a family of detectors says about its head, and what every family needs to say it."""
