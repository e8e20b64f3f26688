"""Wires casework: what its services need of other rooms."""
