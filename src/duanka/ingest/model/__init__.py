"""Basic types of intake: mapping, blocks of rows, reasons, holders."""
