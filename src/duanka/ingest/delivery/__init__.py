"""Which files were delivered, what feeds which table, signatures."""
