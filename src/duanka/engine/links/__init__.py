"""What ties cards together, read from the rollups and registers of a store."""
