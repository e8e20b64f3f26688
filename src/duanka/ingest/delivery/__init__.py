"""Delivered files: discovery, assignment to tables, signatures."""
