"""The command line: a sub-package for each department, and what all of them share."""
