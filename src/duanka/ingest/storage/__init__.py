"""Canonical records on disk; records delivered twice."""
