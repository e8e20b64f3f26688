"""Wires the assessment: what it needs of other rooms."""
