"""Second verification: online checks, links, pictures, counter, reviews."""
