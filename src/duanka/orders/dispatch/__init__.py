"""Dispatch: outbox to network elements, notices to holders, delivery receipts."""
