"""Readers, one for each format of files and messages."""
