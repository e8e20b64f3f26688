"""Declares endpoints: path, summary, permission and errors in one line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from duanka.api.http import auth
from duanka.api.http.dependencies import context_of
from duanka.api.http.openapi import errors
from duanka.api.http.session_cookie import SESSION_COOKIE
from duanka.domain.authority import Permission, authorize

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


class Endpoints(APIRouter):
    """The endpoints of one subject."""

    def __init__(self, tag: str) -> None:
        super().__init__(
            route_class=KeyFirstRoute, generate_unique_id_function=lambda route: to_camel(route.name)
        )
        self._tag = tag

    def endpoint(
        self,
        asked: str,
        summary: str,
        *permissions: Permission,
        fails: Sequence[int] = (),
        answers: Mapping[int | str, Any] | None = None,
        **more: Any,
    ) -> Callable[[_Endpoint], _Endpoint]:
        """Decorate the function that answers `asked`, like `GET /orders`; its name is the operation id.

        `permissions`: all are needed; none for holders. `fails`: error statuses beside those that `describe` adds;
        `answers`: other responses. `more`: passed to FastAPI.
        """
        method, path = asked.split()
        needed = [Depends(May(one)) for one in permissions]
        described: dict[int | str, Any] = {**errors(*fails), **(answers or {})}
        more = {"tags": [self._tag], "dependencies": needed, "responses": described, **more}
        return self.api_route(path, methods=[method], summary=summary, **more)


class May:
    """Dependency of an endpoint that requires a permission.

    The services check again, for the order concerned.
    """

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, by: auth.Caller) -> None:
        """Refuse with 403 before the request's content is parsed."""
        authorize(by, self.permission)


class KeyFirstRoute(APIRoute):
    """Route that checks key, cookie or link before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler, which reads the body first, with the authentication."""
        handler, looks = super().get_route_handler(), set(_calls(self.dependant))

        async def handle(request: Request) -> Response:
            here = context_of(request)
            if auth.person in looks:
                key, cookie = await auth.API_KEY(request), await SESSION_COOKIE(request)
                request.state.person = await run_in_threadpool(auth.person, request, here, key, cookie)
            if auth.holder in looks:
                link = await auth.LINK_TOKEN(request)
                request.state.holder = await run_in_threadpool(auth.holder, request, here, link)
            if auth.signed_in in looks:
                cookie = await SESSION_COOKIE(request)
                await run_in_threadpool(auth.signed_in, request, here, cookie)
            return await handler(request)

        return handle


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    yield dependant.call
    for one in dependant.dependencies:
        yield from _calls(one)
