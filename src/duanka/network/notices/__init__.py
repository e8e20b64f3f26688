"""Notices to holders through the operator's short message centre."""
