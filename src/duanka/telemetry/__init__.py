"""How live records are going: Prometheus metrics and health, over HTTP on this machine."""

from duanka.telemetry.metrics import Metrics
from duanka.telemetry.watch import Telemetry

__all__ = ["Metrics", "Telemetry"]
