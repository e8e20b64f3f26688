"""Requests and responses of signing in."""
