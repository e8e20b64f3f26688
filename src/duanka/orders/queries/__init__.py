"""Read access to orders for people: lists, card dossiers, statistics."""
