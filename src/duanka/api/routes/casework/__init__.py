"""Endpoints of casework."""
