"""Linked accounts: requests to platforms, their answers and releases; items for take-down."""
