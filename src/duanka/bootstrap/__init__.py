"""Wiring: the only place that builds real parts, and the only reader of settings."""
