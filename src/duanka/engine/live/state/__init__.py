"""The stored state of the live engine: rollups, watermarks, checkpoint."""
