"""Normalisation of source values: numbers, times, durations."""
