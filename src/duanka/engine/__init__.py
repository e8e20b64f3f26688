"""Runs the rules' SQL over canonical records."""

from duanka.engine.embedded import Embedded

__all__ = ["Embedded"]
