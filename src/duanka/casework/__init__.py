"""Casework: case files, clues for the police, warned victims, linked accounts."""
