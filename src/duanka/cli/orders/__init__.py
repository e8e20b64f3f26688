"""Commands of the desk: orders, objections, cards, audit, counter, reviews."""
