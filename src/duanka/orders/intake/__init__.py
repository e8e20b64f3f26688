"""Intake of decisions: each once; kept, taken by a person, or taken back."""
