"""Links to internet platforms that handle linked accounts."""
