"""hits.jsonl and decisions.jsonl: the interface between detection and orders."""
