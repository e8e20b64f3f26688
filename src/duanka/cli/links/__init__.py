"""Commands about links: from one card to the gang."""
