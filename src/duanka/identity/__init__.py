"""Face match and liveness: embedded or vendor checker, workers, photos."""
