"""Endpoints of papers for holders, and of events for billing."""
