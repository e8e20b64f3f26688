"""Bulk actions (批量处置): propose, approve, execute, undo."""
