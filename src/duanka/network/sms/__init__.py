"""Message proxy as orders see it."""
