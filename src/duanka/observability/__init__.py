"""How live records are going: Prometheus metrics and health, over HTTP on this machine."""

from duanka.observability.metrics import Metrics
from duanka.observability.watch import Telemetry

__all__ = ["Metrics", "Telemetry"]
