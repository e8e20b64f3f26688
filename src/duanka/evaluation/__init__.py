"""Quality of scans and rule changes, measured where the truth is known."""
