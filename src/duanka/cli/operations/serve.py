"""Long-running processes: `duanka serve`, `call-proxy`, `message-proxy`; the demo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.detection.live import Ticker, last_words
from duanka.cli.shell.completion import policies_like
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.log_lines import log_as
from duanka.cli.shell.process import ERR, OUT
from duanka.domain.errors import DuankaError

if TYPE_CHECKING:
    from duanka.bootstrap import live as app_live
    from duanka.bootstrap import serve as app_serve
    from duanka.network.sip import kamailio
    from duanka.network.sms.proxy import process as proxy
    from duanka.sandbox import demo as app_demo
    from duanka.sandbox import desk_demo
else:
    app_demo = lazily("duanka.sandbox.demo")
    desk_demo = lazily("duanka.sandbox.desk_demo")
    app_live = lazily("duanka.bootstrap.live")
    app_serve = lazily("duanka.bootstrap.serve")
    proxy = lazily("duanka.network.sms.proxy.process")
    kamailio = lazily("duanka.network.sip.kamailio")


commands = typer.Typer()


@commands.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address that the API listens at. Default: 127.0.0.1, or as set.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Its port; 0: a free one. Default: 8080, or as set.")
    ] = None,
    decisions: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of `duanka scan` or `duanka live` whose decisions become orders; several times."
        ),
    ] = None,
    inbox: Annotated[
        Path | None, typer.Option(help="Follow records that land here, as `duanka live` does.")
    ] = None,
    nats: Annotated[str | None, typer.Option(help="Follow records of a JetStream server instead.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping of a foreign format, for --inbox.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="national, hebei, or a FILE.toml.", autocompletion=policies_like)
    ] = None,
) -> None:
    """Run API, order worker and intake in one process, until Ctrl-C (docs/ORDERS.md)."""
    if inbox and nats:
        raise DuankaError("serve follows one source of records: give --inbox or --nats")
    chosen = load_settings()
    log_as(chosen.log)
    named = policy_named(policy or chosen.policy)
    records = None
    if inbox or nats:
        source = app_live.InboxInput(inbox, mapping) if inbox else app_live.NatsInput(str(nats))
        records = app_live.LiveRun(source, named, chosen.orders / "live")
    folders = tuple(decisions or (() if chosen.decisions is None else (chosen.decisions,)))
    asked = app_serve.Serving(
        host or chosen.host,
        chosen.port if port is None else port,
        folders,
        records,
        chosen.trusted_proxies or "",
    )
    with Ticker(ERR) as ticker:
        outcome = app_serve.serve(chosen, named, asked, ticker.say, ticker)
    if outcome:
        OUT.print(last_words(outcome))


@commands.command()
def demo(
    network: Annotated[bool, typer.Option("--network", help="Against a real network on loopback.")] = False,
    folder: Annotated[Path, typer.Option("--out", help="New or empty folder for it all.")] = Path(
        "duanka-demo"
    ),
    trust: Annotated[
        Path | None,
        typer.Option(help="Begin a new order database in which the signature of an invented police counts."),
    ] = None,
    console: Annotated[
        Path | None,
        typer.Option(help="Serve the console on the invented province in this folder, until Ctrl-C."),
    ] = None,
) -> None:
    """An invented gang calls over a real home register, call proxy and message path, and goes dark."""
    if trust:
        logins = list[str]()
        app_demo.trust_invented_police(load_settings(), trust, logins.append)
        OUT.print("Two invented supervisors let the signature of the invented police count.")
        OUT.print(
            "To sign in with a browser, as `duanka serve` offers it (login name, password; shown this once):"
        )
        for login in logins:
            OUT.print(login, soft_wrap=True)
        return
    if console:
        chosen = load_settings()
        log_as(chosen.log)
        with Ticker(ERR) as ticker:
            desk_demo.demo_console(
                chosen,
                policy_named(chosen.policy),
                console,
                lambda line: OUT.print(line, soft_wrap=True),
                ticker.say,
                ticker,
            )
        return
    if not network:
        raise DuankaError("say what to show: duanka demo --network (records alone: make demo)")
    app_demo.demo_network(load_settings(), folder, lambda line: OUT.print(line, soft_wrap=True))
    OUT.print(f"Everything is in {folder}: province, scan, orders, and the logs of the parts.")


@commands.command()
def call_proxy(
    next_hop: Annotated[str, typer.Option(help="Where calls go that are not refused, HOST:PORT.")],
    folder: Annotated[Path, typer.Option(help="Its lists and sockets; DUANKA_CALL_PROXY names it.")] = Path(
        "duanka-call-proxy"
    ),
    listen: Annotated[str, typer.Option(help="Where it listens, HOST:PORT, UDP.")] = "127.0.0.1:5060",
    entries: Annotated[
        int, typer.Option(min=1000, max=20_000_000, help="Cards that its lists may hold.")
    ] = 200_000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that judge calls.")] = 4,
) -> None:
    """Become a Kamailio that refuses calls of stopped cards (docs/NETWORK.md)."""
    policy = policy_named(load_settings().policy).orders
    part = kamailio.OwnCallProxy(
        folder,
        address(next_hop),
        redress=f"{policy.site}/redress",
        emergency=policy.protected,
        lines=policy.lines,
        listen=address(listen),
        workers=workers,
        entries=entries,
    )
    command = part.command()
    ERR.print(f"Kamailio in {folder}, at {listen}; DUANKA_CALL_PROXY={folder}")
    os.chdir(part.folder)
    os.execv(command[0], command)  # noqa: S606  # replaces this process by Kamailio, which the supervisor then watches


@commands.command()
def message_proxy(
    centre: Annotated[str, typer.Option(help="The message centre behind it, HOST:PORT.")],
    folder: Annotated[Path, typer.Option(help="Its list and socket; DUANKA_MESSAGE_PROXY names it.")] = Path(
        "duanka-message-proxy"
    ),
    listen: Annotated[str, typer.Option(help="Where it listens, HOST:PORT.")] = "127.0.0.1:2775",
) -> None:
    """Pass short messages on, and refuse those of stopped cards and what the policy names (docs/NETWORK.md)."""
    settings = load_settings()
    log_as(settings.log)
    policy = policy_named(settings.policy)
    ERR.print(f"Message proxy in {folder}, at {listen}; DUANKA_MESSAGE_PROXY={folder}")
    proxy.run_proxy(
        proxy.ProxySettings(
            folder.resolve(),
            address(listen),
            address(centre),
            policy.messages,
            policy.orders.protected,
            lines=policy.orders.lines,
        )
    )


def address(text: str) -> tuple[str, int]:
    """Parse HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise DuankaError(f"{text!r} is no address; write it like 127.0.0.1:5060")
    return host, int(port)
