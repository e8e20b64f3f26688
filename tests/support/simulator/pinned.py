"""A digest of all that a world says, to see that it stays what it was."""

from __future__ import annotations

import hashlib

from duanka.simulator import World
from support.simulator.simulated import read


def digest(world: World) -> str:
    """Return a hash over the rows of all tables and world.toml."""
    parts = [
        f"{table} {hashlib.sha256(read(world, table).write_csv().encode()).hexdigest()}"
        for table in sorted(world.rows)
    ]
    parts.append((world.out / "world.toml").read_text(encoding="utf-8"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
