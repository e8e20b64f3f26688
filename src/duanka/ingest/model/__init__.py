"""Mapping, blocks of rows, reasons, holders: the terms of intake."""
