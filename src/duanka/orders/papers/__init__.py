"""Papers for holders: texts of stops, their copies, statements of all that was done; events for billing."""
