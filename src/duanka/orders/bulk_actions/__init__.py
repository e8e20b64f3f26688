"""Bulk actions (批量操作): propose, approve, execute, undo."""
