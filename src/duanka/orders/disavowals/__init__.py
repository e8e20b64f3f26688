"""Numbers that their registrant disowns: said on the page or at a counter, confirmed, taken back."""
