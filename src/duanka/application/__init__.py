"""The paths: one module for each, readable in a page; rooms come through Protocols."""
