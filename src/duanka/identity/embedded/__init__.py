"""The embedded face check: measurements of pictures, liveness, planarity."""
