"""What the store keeps by day: records, their partial rollups, refusals."""
