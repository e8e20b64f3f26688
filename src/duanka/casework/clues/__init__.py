"""Clues for the police: dossier, bundle, manifest; review, delivery, and what the police answer."""
