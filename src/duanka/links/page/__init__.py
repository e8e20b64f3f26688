"""ring.html: a ring in one page, with its picture, its days, its cities, and the links of each card."""
