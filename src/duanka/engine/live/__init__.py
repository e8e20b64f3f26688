"""The live engine: the same rules over micro-batches, with hits that come and go."""

from duanka.engine.live.engine import Live

__all__ = ["Live"]
