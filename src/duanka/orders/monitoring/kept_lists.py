"""Alarm while a proxy decides by a copy of its list, or by an empty one."""

from __future__ import annotations

from datetime import datetime

from duanka.domain.network import KeptList, ListOrigin
from duanka.domain.text import BilingualText
from duanka.ledger.monitoring.alarms import AlarmService

_ORIGINS = {
    ListOrigin.COPY: BilingualText("其副本，副本之后的变更缺失", "its copy: changes since then are missing"),
    ListOrigin.NOTHING: BilingualText("空名单，已停机号码未被拦截", "nothing: restricted cards get through"),
}


class KeptListWatch:
    """Raises an alarm while the list of `element` is a copy or empty.

    `element`: an adapter used only here. The alarm ends when a reconciliation finds no difference.
    """

    def __init__(self, element: KeptList, alarms: AlarmService) -> None:
        self.name = element.name
        self._element, self._alarms = element, alarms

    def look(self, now: datetime) -> None:
        """Ask the element, then raise or clear the alarm. NetworkError: no answer."""
        source = f"list of {self.name}"
        said = _ORIGINS.get(self._element.list_origin())
        if said is None:
            self._alarms.working(source, now)
            return
        zh = f"网元{self.name}的停机名单损坏，现用{said.zh}；与工单比对一致后自动解除"
        en = (
            f"the list of {self.name} was spoilt, and it judges by {said.en}."
            " The alarm ends once a comparison with the order database finds no difference"
        )
        self._alarms.raise_now(source, now, f"{zh} / {en}")

    def close(self) -> None:
        """Close the connection."""
        self._element.close()
