"""Objections: how they are filed, and what follows when nobody decides one in its term."""
