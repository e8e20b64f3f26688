"""Prometheus metrics and health of a live run, served over HTTP on this machine."""
