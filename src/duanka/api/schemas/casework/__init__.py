"""Requests and responses of casework."""
