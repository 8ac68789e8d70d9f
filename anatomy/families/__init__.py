"""The families of detectors that the workbench reads; a family outside the project describes its own head."""
