"""Duanka (断卡): card-risk control for telecom operators and their regulators."""

__version__ = "0.1.0"
