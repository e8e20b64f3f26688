"""A message centre that does what a test says, and who was warned or corrected through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from duanka.domain.network import NetworkError
from duanka.ledger.db.database import Store
from support.casework.victim_scene import Scene, scene_in
from support.orders.books import NOW

DAY = timedelta(days=1)


class Centre:
    """A bulk sender that does what a test says: nothing is lost, and all that was sent is kept."""

    name = "message_centre"

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.fails: dict[str, NetworkError] = {}
        self.before: Callable[[], None] = lambda: None

    def send_many(
        self, notices: Sequence[tuple[str, str]], window: int, seconds: float
    ) -> Sequence[str | NetworkError]:
        del window, seconds
        self.before()
        results: list[str | NetworkError] = []
        for card, text in notices:
            if error := self.fails.get(card) or self.fails.get(""):
                results.append(error)
                continue
            self.sent.append((card, text))
            results.append(f"m{len(self.sent)}")
        return results

    def close(self) -> None:
        pass


def send_all(scene: Scene, centre: Centre, at: datetime = NOW) -> None:
    dispatcher = scene.dispatcher(centre)
    while dispatcher.work(at):
        pass


def of_kind(centre: Centre, kind: str) -> list[str]:
    return sorted(card for card, text in centre.sent if ("更正" in text) is (kind == "correction"))


def warned(store: Store, tmp_path: Path, *cards: str, **more: Any) -> tuple[Scene, Centre]:
    """Victims of `cards`, found and warned."""
    scene, centre = scene_in(store, tmp_path, **more), Centre()
    scene.confirm(*cards)
    scene.watch().work(NOW)
    send_all(scene, centre)
    return scene, centre
