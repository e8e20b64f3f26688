"""Bulk actions (批量操作): proposed, approved, carried out card by card, undone."""
