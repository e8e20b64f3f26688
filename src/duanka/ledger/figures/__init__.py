"""Figures: one definition for each, used by every room that shows it; counts by day that stay exact."""
