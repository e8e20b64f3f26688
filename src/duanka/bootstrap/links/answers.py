"""A graph that answers: one that lies in a folder, or one that is built for this once when it is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from duanka.bootstrap.links.asking import devices_of_many_cards, judged_outlets, ring_of, worth_a_look
from duanka.bootstrap.links.building import Built
from duanka.bootstrap.settings import Settings
from duanka.domain.ring_lookups import SeedName
from duanka.links.answers import FoundRing, FoundTable


class GraphAnswers:
    """Answers from the graph that `opening` gives, which is called at the first question.

    `edition`: of a graph that is asked page by page.
    """

    def __init__(self, settings: Settings, opening: Callable[[], Built], edition: str = "") -> None:
        self._settings, self._opening, self._edition = settings, opening, edition

    @cached_property
    def _built(self) -> Built:
        return self._opening()

    def around(self, named: SeedName) -> FoundRing:
        """The ring behind what was named, by the verifications that were passed until now. NotLinked."""
        built = self._built
        return FoundRing(ring_of(self._settings, built, named), built.period, self._edition)

    def rings(self) -> FoundTable:
        """The communities worth a look, the worst first."""
        return self._rings

    def outlets(self) -> FoundTable:
        """All outlets, by the lower bound on their lift over their peers."""
        return self._outlets

    def devices(self) -> FoundTable:
        """Devices that are no ordinary phones, boxes first; numbers in full."""
        return self._devices

    @cached_property
    def _rings(self) -> FoundTable:
        return FoundTable(worth_a_look(self._built), self._built.period, self._edition)

    @cached_property
    def _outlets(self) -> FoundTable:
        return FoundTable(judged_outlets(self._built), self._built.period, self._edition)

    @cached_property
    def _devices(self) -> FoundTable:
        return FoundTable(devices_of_many_cards(self._built), self._built.period, self._edition)
