"""Observer of a live run: notes every micro-batch, serves /metrics and /healthz."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

from prometheus_client.exposition import choose_encoder

from duanka.domain.local_time import operator_zone
from duanka.domain.streaming import BatchResult, IntakeBacklog, SourceReach
from duanka.observability.metrics import Metrics
from duanka.observability.pages import PageResponse, Pages

_JSON = "application/json"


@dataclass(frozen=True)
class _Noted:
    """Input of the health page; replaced as a whole, so requests see it consistent."""

    at: float
    any_batch: bool = False
    sources: tuple[SourceReach, ...] = ()
    failure: str = ""
    waiting: IntakeBacklog = field(default_factory=IntakeBacklog)


class Telemetry:
    """LiveObserver that serves metrics and health from its creation until `close`.

    `port`: 0 takes a free one, see `self.port`; DuankaError if it is not available. `host`: this machine only
    by default; there is no authentication. `rules`: ids of rules. `quiet`: longest time without a
    micro-batch, even an empty one, before the run counts as failing. `clock`: local time of the operator, as
    in events; `ticks`: monotonic seconds.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        rules: Iterable[str] = (),
        quiet: timedelta = timedelta(minutes=5),
        clock: Callable[[], datetime] | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = Metrics(rules, clock or operator_zone().now, ticks)
        self._quiet, self._ticks = quiet.total_seconds(), ticks
        self._noted = _Noted(ticks())
        self._pages = Pages({"/metrics": self._exposition, "/healthz": self._health}, host, port)
        self.port = self._pages.port
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and release the port."""
        self._pages.close()

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Note a processed micro-batch, which clears an earlier failure."""
        self._metrics.note(taken, waiting)
        self._noted = _Noted(
            self._ticks(), any_batch=True, sources=taken.sources or self._noted.sources, waiting=waiting
        )

    def failed(self, reason: str) -> None:
        """Note that a micro-batch failed; reported until the next one succeeds."""
        noted = self._noted
        self._noted = _Noted(noted.at, noted.any_batch, noted.sources, reason)

    def _exposition(self, accept: str) -> PageResponse:
        encode, kind = choose_encoder(accept)
        return PageResponse(HTTPStatus.OK, kind, encode(self._metrics.registry))

    def _health(self, accept: str) -> PageResponse:
        """Return 200 while batches arrive, else 503 with reasons; a silent source is only a warning."""
        noted = self._noted
        since = self._ticks() - noted.at
        reasons = [f"engine: {noted.failure}"] if noted.failure else []
        if since > self._quiet:
            what = "no micro-batch" if noted.any_batch else "no micro-batch since the start,"
            reasons.append(f"{what} for {since:.0f} s; one is due every {self._quiet:.0f} s at the latest")
        if (stalled := noted.waiting.stalled) > self._quiet:
            reasons.append(
                f"intake: nothing was read for {stalled:.0f} s, {noted.waiting.pieces:,} pieces wait"
            )
        said: dict[str, object] = {
            "status": "failing" if reasons else "ok",
            "reasons": reasons,
            "warnings": [
                f"source {source.name} ({source.table}) is silent, complete to {source.complete:%Y-%m-%d %H:%M}"
                for source in noted.sources
                if source.silent
            ],
            "seconds_since_batch": round(since, 1) if noted.any_batch else None,
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return PageResponse(status, _JSON, f"{json.dumps(said, ensure_ascii=False)}\n".encode())
