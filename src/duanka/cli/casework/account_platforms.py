"""`duanka accounts platforms`, `add-platform`, ...: who is asked about linked accounts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.grid import grid
from duanka.cli.output.lists import line, say
from duanka.cli.people.acting import Why, at_desk, command
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission
from duanka.domain.errors import UnreadableInput
from duanka.domain.linked_accounts import AccountPlatform, TransportKind
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.ingest.delivery import signatures
else:
    signatures = lazily("duanka.ingest.delivery.signatures")

_COLUMNS = (
    *(BilingualText("编号", "id"), BilingualText("平台", "platform"), BilingualText("方式", "by")),
    *(BilingualText("地址", "address"), BilingualText("提出人", "proposed")),
    *(BilingualText("复核人", "approved by"), BilingualText("状态", "state")),
)
_NONE = BilingualText(
    "没有平台：请求只会等待；用 `duanka accounts add-platform` 登记。",
    "No platform: requests wait; `duanka accounts add-platform` proposes one.",
)
PlatformId = Annotated[str, typer.Argument(metavar="PLATFORM", help="Id or name, from `accounts platforms`.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands about platforms to a group."""

    @command(group, Permission.LIST_PLATFORMS)
    def platforms() -> None:
        """List the platforms that are asked: address, state, and key."""
        with at_desk() as (here, person):
            listed = here.casework.accounts.platforms.listed(person)
        rows = (
            (
                one.id,
                one.platform.name,
                shown(one.platform.transport.words),
                one.platform.address,
                one.proposed_by,
                one.approved_by or "-",
                shown(one.state.words),
            )
            for one in listed
        )
        OUT.print(grid(_COLUMNS, rows) if listed else shown(_NONE))
        for one in listed:  # in full: two persons compare it with what the platform says
            line(f"{one.id} {one.platform.name}: {one.platform.public_key.hex()}")

    @command(group, Permission.PROPOSE_PLATFORM, "add-platform")
    def add_platform(
        name: Annotated[str, typer.Argument(help="Its name, as the table accounts has it.")],
        address: Annotated[
            str,
            typer.Option(
                "--address", help="https://host/path (docs/account-platform.openapi.yaml), or a folder."
            ),
        ],
        key_file: Annotated[
            Path,
            typer.Option("--key-file", help="Our private Ed25519 key for it, PEM; `duanka serve` reads it."),
        ],
        public_key: Annotated[Path, typer.Option("--public-key", help="Its Ed25519 public key, PEM.")],
    ) -> None:
        """Propose a platform that is asked about linked accounts; another supervisor approves."""
        transport = TransportKind.HTTP if "://" in address else TransportKind.FILES
        with at_desk() as (here, person):
            raw = signatures.public_key_of(_read(public_key))
            made = AccountPlatform(name, transport, address, key_file, raw)
            number = here.casework.accounts.platforms.propose(made, person, here.now())
        line(f"{number}: {name} {raw.hex()}")
        following = f"duanka accounts approve-platform {number} --why …"
        say(f"下一步，由另一名主管：{following}", f"Next, by another supervisor: {following}")

    @command(group, Permission.APPROVE_PLATFORM, "approve-platform")
    def approve_platform(platform: PlatformId, why: Why) -> None:
        """Approve a platform, as another supervisor: from now on it is sent requests."""
        with at_desk() as (here, person):
            approved = here.casework.accounts.platforms.approve(platform, person, why, here.now())
        say(f"平台 {approved.name} 已启用。", f"{approved.name} is in force.")

    @command(group, Permission.REMOVE_PLATFORM, "remove-platform")
    def remove_platform(platform: PlatformId, why: Why) -> None:
        """Remove a platform, or reject a proposal: it is sent nothing more, and what waits for it waits on."""
        with at_desk() as (here, person):
            here.casework.accounts.platforms.remove(platform, person, why, here.now())
        say(f"平台 {platform} 已撤销。", f"{platform} is removed.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror})") from None
