"""What detectors with a head on several levels have in common, whatever their network."""
