"""In which order files begin: the long ones first, so that no process ends with one while the others have none left."""

from __future__ import annotations

import pytest

# seconds that a file takes fall in this order, measured on two busy cores; all others follow as they are collected
LONG = (
    "engine/test_cluster",
    "journeys/test_network",
    "journeys/test_hard_times",
    "journeys/test_live",
    "engine/test_live_crash",
    "journeys/test_identity",
    "journeys/test_backtest",
    "journeys/test_identity_desk",
    "journeys/test_scan",
    "ingest/test_bombs",
    "orders/test_kill",
    "orders/test_transitions",
    "engine/test_live_decides_as_scan",
    "engine/test_live_replay",
    "api/test_checks",
    "api/test_masked_everywhere",
    "api/test_authority",
    "api/test_orders_api",
    "api/test_openapi",
    "journeys/test_demo_network",
    "test_enforcement_worker",
    "network/test_sip_lists",
    "orders/test_audit",
    "ingest/test_random_input",
)
_PLACE = {f"tests/{file}.py": place for place, file in enumerate(LONG)}


class LongFirst:
    """Sorts what was collected; each process of pytest-xdist in the same way."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: _PLACE.get(item.location[0], len(_PLACE)))
