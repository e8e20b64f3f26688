"""Outbox to the network's elements, notices to holders, receipts."""
