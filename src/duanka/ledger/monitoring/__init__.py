"""Alarms, isolation of faulty rows, clock guard, back-off."""
