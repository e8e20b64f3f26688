"""The graph: evidence weighed, cards and what they share, kept in a folder."""
