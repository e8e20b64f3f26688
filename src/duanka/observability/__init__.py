"""Prometheus metrics and health of a live run, served over HTTP on this machine."""

from duanka.observability.metrics import Metrics
from duanka.observability.watch import Telemetry

__all__ = ["Metrics", "Telemetry"]
