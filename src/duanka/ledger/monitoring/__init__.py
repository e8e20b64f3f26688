"""Monitoring: alarms, isolation of faulty rows, clock guard, back-off."""
