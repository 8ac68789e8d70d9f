"""The bundled demo detector, its weights and its training."""
