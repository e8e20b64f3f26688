"""How live records are going: Prometheus metrics and health, over HTTP on this machine."""

from duanka.telemetry.watch import Telemetry

__all__ = ["Telemetry"]
