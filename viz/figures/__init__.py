"""The figures, one public function a file."""
