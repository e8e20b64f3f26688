"""SMPP 3.4: PDUs, message texts, numbers."""
