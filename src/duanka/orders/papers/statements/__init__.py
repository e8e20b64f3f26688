"""Statement for a holder: everything that was held and done about a card, in one PDF."""
