"""Listing for rectification: who meets the criterion of a run, and the way on and off the list."""
