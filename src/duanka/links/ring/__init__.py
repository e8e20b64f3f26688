"""Rings: growth from a seed, roles, reasons, supplying outlets, communities."""
