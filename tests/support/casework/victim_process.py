"""A worker that finds and warns victims, as a process that can be killed: URL FOLDER HOST PORT BEGAN BATCH.

Its clock runs a hundred times as fast, so that what a killed one held is free again soon.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from duanka.domain.network import NetworkError
from duanka.domain.victim_policy import VictimPolicy
from duanka.ledger.db.database import Store
from duanka.network.notices.sender import ShortMessageCentre
from support.casework.victim_scene import Scene
from support.orders.books import NOW

SPEED = 100.0
LENIENT = VictimPolicy(warn_points=6)  # time goes by so fast that contacts are soon hours ago


def clock(began: float) -> datetime:
    """The time of the test: `began` is the second of the epoch that stands for NOW."""
    return NOW + timedelta(seconds=(time.time() - began) * SPEED)


def main(url: str, folder: Path, address: tuple[str, int], began: float, batch: int) -> None:
    scene = Scene(Store(url), folder, LENIENT)
    worker = f"worker-{os.getpid()}"
    watch = scene.watch(worker)
    centre = ShortMessageCentre(address, system_id="notices", password="secret", receives=False)  # noqa: S106
    dispatcher = scene.dispatcher(centre, worker, batch=batch)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        scene.seconds += 20  # a look at each turn
        watch.work(clock(began))
        with suppress(NetworkError):
            dispatcher.work(clock(began))
        time.sleep(0.01)


if __name__ == "__main__":
    main(
        sys.argv[1], Path(sys.argv[2]), (sys.argv[3], int(sys.argv[4])), float(sys.argv[5]), int(sys.argv[6])
    )
