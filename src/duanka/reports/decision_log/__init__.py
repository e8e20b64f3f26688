"""hits.jsonl and decisions.jsonl: the contract between detection and orders."""
