"""Bulk actions for what people see in lists: orders, whose numbers are masked there."""
