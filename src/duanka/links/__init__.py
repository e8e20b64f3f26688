"""From one card to the gang: what links cards, growth from a seed, communities, outlets."""
