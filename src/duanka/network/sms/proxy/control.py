"""Control socket of the message proxy: one JSON line per request, one per answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from duanka.domain.network import NetworkState
from duanka.network.sms.proxy.block_list import MessageList
from duanka.network.sms.proxy.denied import DeniedTexts, denied_of

LONGEST_LINE = 16 << 20
_MAX_PAGE_CARDS = 50_000


class Control:
    """Answers requests; a thread writes the list, so messages never wait for a disk."""

    def __init__(
        self,
        cards: MessageList,
        status: Callable[[], dict[str, Any]],
        list_thread: Executor,
        deny: Callable[[DeniedTexts], None],
    ) -> None:
        """`deny`: called in `list_thread` with hosts and words that are refused from now on."""
        self._cards, self._status, self._list_thread, self._deny = cards, status, list_thread, deny
        self._talking: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._talking.add(task)
        staged: dict[str, NetworkState] = {}
        try:
            while line := await reader.readline():
                answer = await self._answer(line, staged)
                writer.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # closed, or an endless line
            pass
        finally:
            self._talking.discard(task)
            writer.close()

    def close(self) -> None:
        """Close all connections."""
        for task in self._talking:
            task.cancel()

    async def _answer(self, line: bytes, staged: dict[str, NetworkState]) -> dict[str, Any]:
        request: dict[str, Any] = {}
        try:
            request = dict(json.loads(line))
            return {"id": request.get("id"), **await self._done(request, staged)}
        except (KeyError, TypeError, ValueError) as error:
            return {"id": request.get("id"), "error": f"not understood: {error}"}
        except Exception as error:  # e.g. a full disk: report it, keep the connection
            return {"id": request.get("id"), "error": f"{type(error).__name__}: {error}"}

    async def _done(self, request: dict[str, Any], staged: dict[str, NetworkState]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        match request.get("do"):
            case "set":
                await loop.run_in_executor(self._list_thread, self._cards.write, _states(request["cards"]))
                return {}
            case "states":
                return {"states": [self._cards.state_of(str(card)).value for card in request["cards"]]}
            case "page":
                limit = min(int(request["limit"]), _MAX_PAGE_CARDS)
                page = self._cards.page
                return {"cards": await loop.run_in_executor(self._list_thread, page, request["after"], limit)}
            case "stage":
                if request["first"]:
                    staged.clear()
                staged.update(_states(request["cards"]))
                return {"staged": len(staged)}
            case "exchange":
                if len(staged) != request["count"]:
                    raise ValueError(f"{len(staged)} cards are staged")
                await loop.run_in_executor(self._list_thread, self._cards.write_whole, dict(staged))
                staged.clear()
                return {}
            case "deny" | "confirm" | "status" as what:
                if what == "deny":
                    await loop.run_in_executor(self._list_thread, self._deny, denied_of(request))
                if what == "confirm":
                    await loop.run_in_executor(self._list_thread, self._cards.confirm)
                return self._status()
            case other:
                raise ValueError(f"nothing called {other}")


def _states(cards: Sequence[Sequence[str]]) -> dict[str, NetworkState]:
    return {str(card): NetworkState(state) for card, state in cards}
