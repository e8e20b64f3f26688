"""Test doubles and the demonstration network; production never imports it."""
