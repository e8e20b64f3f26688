"""Lists and tables on a terminal, in JSON, CSV and Markdown."""
