"""Figures, alarms, drifts, audit trail verification, and health of the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy import text

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas import requests as asked
from duanka.api.schemas import responses as shown
from duanka.api.schemas.errors import Problem, too_many
from duanka.api.schemas.staff_responses import PersonShown
from duanka.api.schemas.vocabulary import VocabularyShown
from duanka.domain.authority import Permission
from duanka.orders import views
from duanka.orders.queries.service import ViewerContext

router = Endpoints("figures")
Since = Annotated[asked.Moment, Query(description="From this moment on.")]
Until = Annotated[asked.Moment, Query(description="Until before this moment.")]
_MAX_FAULTS = 100  # shown at most; more add no information


@router.endpoint("GET /figures", "What was done in a period · 统计", Permission.READ_FIGURES)
def get_figures(here: Here, by: access.Caller, since: Since, until: Until) -> views.FiguresShown:
    """Counted from the audit trail, so that figures of a past period do not change."""
    return here.desk.reading.figures(since, until, by)


@router.endpoint(
    "GET /figures/handled-numbers", "The numbers behind the figure · 处置号码明细", Permission.LIST_HANDLED
)
def list_handled_numbers(
    here: Here,
    by: access.Caller,
    since: Since,
    until: Until,
    after: asked.Skip = None,
    limit: asked.Limit = 50,
) -> shown.HandledNumbers:
    """Each number once, with the order that ended first; numbers masked."""
    return shown.HandledNumbers.of(
        here.desk.reading.handled(since, until, ViewerContext(by), here.now, int(after or 0), limit)
    )


@router.endpoint("GET /alarms", "Alarms · 告警", Permission.LIST_ALARMS)
def list_alarms(
    here: Here,
    by: access.Caller,
    is_open: Annotated[bool | None, Query(alias="open", description="true: still so, false: over.")] = None,
    limit: asked.Limit = 50,
) -> shown.Alarms:
    """The latest first."""
    found = here.desk.reading.alarms(by, is_open=is_open, limit=limit)
    return shown.Alarms(items=list(found))


@router.endpoint(
    "POST /alarms/clear", "Clear an alarm · 解除告警", Permission.CLEAR_ALARM, fails=(409,), status_code=204
)
def clear_alarm(here: Here, by: access.Caller, asks: asked.AlarmCleared) -> Response:
    """That a person handled. One whose cause lasts comes again. 409: there is no open alarm of this source."""
    here.desk.orders.clear_alarm(asks.source, by, asks.why, here.now)
    return Response(status_code=204)


@router.endpoint("GET /drifts", "Where the network did otherwise · 状态不一致", Permission.LIST_DRIFTS)
def list_drifts(here: Here, by: access.Caller, limit: asked.Limit = 50) -> shown.Drifts:
    """The latest first; numbers masked."""
    found = here.desk.reading.drifts(ViewerContext(by), here.now, limit)
    return shown.Drifts(items=list(found))


@router.endpoint(
    "GET /audit/verification", "Whether the audit trail holds · 审计链校验", Permission.VERIFY_AUDIT
)
def verify_audit(here: Here, by: access.Caller) -> shown.Verification:
    """Reads the whole trail now. Only one at a time; others are told to retry."""
    if not here.verifying.acquire(blocking=False):
        raise too_many(5)
    try:
        verdict = here.desk.trail.verdict(here.desk.store, by)
    finally:
        here.verifying.release()
    first = [shown.FaultShown.of(fault) for fault in verdict.faults[:_MAX_FAULTS]]
    return shown.Verification(holds=not verdict.faults, rows=verdict.rows, faults=first, verified_at=here.now)


@router.endpoint("GET /whoami", "Whose key this is · 本人身份", Permission.WHO_AM_I, tags=["people"])
def who_am_i(by: access.Caller) -> PersonShown:
    """Id, display name, role and scope."""
    return PersonShown.told(by)


@router.endpoint(
    "GET /vocabulary", "The words of the API's values · 取值用语", Permission.WHO_AM_I, tags=["people"]
)
def get_vocabulary(by: access.Caller) -> VocabularyShown:
    """Of kinds, states, events, tiers, roles, figures and rules, in both languages; the same for everybody."""
    del by
    return VocabularyShown.told()


@router.endpoint(
    "GET /health",
    "Whether the installation works · 健康检查",
    tags=["health"],
    answers={503: {"model": shown.Health, "description": "Something does not work; `reasons`."}},
)
def get_health(here: Here, response: Response) -> shown.Health:
    """Needs no key.

    503 while the database is not writable, a part or task fails, or an element does not answer.
    """
    if here.health is None:
        with here.desk.store.reading() as connection:
            connection.execute(text("SELECT 1"))
        return shown.Health(status="up", database="up", reasons=[])
    found = here.health()
    response.status_code = 503 if found.reasons else 200
    less = "degraded" if found.wants else "up"
    return shown.Health(
        status="failing" if found.reasons else less,
        database="up" if found.database else "down",
        reasons=[*found.reasons, *found.wants],
    )


@router.head("/health", include_in_schema=False)
def head_health(here: Here, response: Response) -> Response:
    """For probes: status and headers of the GET, without its body."""
    told = jsonable_encoder(get_health(here, response))
    return JSONResponse(told, response.status_code or 200)


def add_metrics(api: FastAPI) -> None:
    """Serve `/metrics` without a key: no cards in it; a proxy must limit who reads it."""

    @api.get("/metrics", include_in_schema=False)
    @api.head("/metrics", include_in_schema=False)
    def metrics(here: Here) -> Response:
        if here.metrics is None:
            raise Problem(404, "there are no metrics here")
        return Response(here.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")
