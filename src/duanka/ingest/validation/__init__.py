"""Records that fit told from those that do not; the quarantine."""
