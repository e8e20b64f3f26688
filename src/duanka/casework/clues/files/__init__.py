"""Files of a clue: bundle, table, encrypted package, and the signed manifest."""
