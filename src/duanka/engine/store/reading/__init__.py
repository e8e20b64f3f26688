"""Reading a store for people: lookups of cards and numbers, and what it holds."""
