"""The second verification: online checks, links, pictures, counter, reviews."""
