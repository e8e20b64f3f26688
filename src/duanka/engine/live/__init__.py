"""Live engine: the same rules over micro-batches; hits are raised and revoked."""

from duanka.engine.live.engine import Live

__all__ = ["Live"]
