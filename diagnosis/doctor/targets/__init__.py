"""The check of target encoders, stage by stage."""
