"""Delivered files as bytes: opened, unpacked and walked within bounds."""
