"""A process of its own that plays an invented world into a live state, from where the state has come to.

`play_world.py FOLDER SEED [MOST_BYTES]`: says "playing" when it begins and "done" at the end; with MOST_BYTES no file
may become larger. A DuankaError is one line and exit code 3.
"""

from __future__ import annotations

import random
import resource
import sys
from pathlib import Path

from duanka.domain.errors import DuankaError
from support.engine.streams import NOW, arrivals, batch_of, cut_up, opened
from support.engine.worlds import invented

CARDS = 14
SETTLE_EVERY = 3


def play(folder: Path, seed: int, begun: str = "") -> None:
    """Play the world of `seed` to its end, whatever of it is in already."""
    world, chance = invented(seed, cards=CARDS), random.Random(seed)
    coming = arrivals(world, chance)
    batches = cut_up(coming, chance, 12)
    with opened(folder, world, pack_rows=1) as live:
        live.expect({a.source: a.table for a in coming if a.table in ("calls", "messages", "data_days")}, NOW)
        if begun:
            print(begun, flush=True)  # noqa: T201  # whoever started this waits for it
        for number in range(live.positions().get("played", 0), len(batches)):
            settle = (number + 1) % SETTLE_EVERY == 0
            live.take(batch_of(world, batches[number], number + 1), NOW, settle=settle)
            if settle:
                live.rest(0.01)
        live.finish(NOW)


def main(arguments: list[str]) -> int:
    folder, seed = Path(arguments[0]), int(arguments[1])
    if arguments[2:]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(arguments[2]), resource.RLIM_INFINITY))
    try:
        play(folder, seed, begun="playing")
    except DuankaError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 3
    print("done")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
