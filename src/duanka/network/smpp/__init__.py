"""SMPP 3.4: units, texts, numbers."""
