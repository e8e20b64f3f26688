"""A process that serves: two workers of the embedded check, and always one check under way. Prints a line when it is.

It is killed by a test, to see what its workers do.
"""

from __future__ import annotations

import threading
from random import Random

from duanka.domain.identity import Check, Verdict
from duanka.domain.identity_policy import IdentityPolicy
from duanka.identity import worker_pool as workers
from duanka.identity.embedded.checker import steps_of
from support import clips


def main() -> None:
    policy = IdentityPolicy()
    steps = steps_of(policy, Random(1))
    check = Check("V1", steps, clips.reference(), clips.frames(clips.living(steps)))
    on, queue = workers.embedded(policy, 2)
    for _ in range(2):
        on.enrol(check.reference)

    def again(_: Verdict | None = None) -> None:
        queue.submit(check, again)

    for _ in range(3):
        again()
    print("under way", flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
