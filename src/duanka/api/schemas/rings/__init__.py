"""Rings, outlets and devices, as the API shows them."""
