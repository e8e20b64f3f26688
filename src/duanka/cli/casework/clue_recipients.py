"""`duanka clues recipients`, `add-recipient`, ...: who gets clues."""

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
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap.casework import clue_folders
else:
    clue_folders = lazily("duanka.bootstrap.casework.clue_folders")

_COLUMNS = (
    *(BilingualText("编号", "id"), BilingualText("收件机关", "recipient"), BilingualText("地址", "address")),
    *(
        BilingualText("提出人", "proposed"),
        BilingualText("复核人", "approved by"),
        BilingualText("状态", "state"),
    ),
    BilingualText("证书有效至", "certificate until"),
)
_NOBODY = BilingualText(
    "没有收件机关：用 `duanka clues add-recipient` 提出。",
    "No recipient: `duanka clues add-recipient` proposes one.",
)
RecipientId = Annotated[str, typer.Argument(metavar="RECIPIENT", help="Id or name, from `clues recipients`.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands about recipients to a group."""

    @command(group, Permission.LIST_CLUE_RECIPIENTS)
    def recipients() -> None:
        """List who gets clues: address, state, and fingerprint of the certificate."""
        with at_desk() as (here, person):
            listed = here.casework.clues.recipients.listed(person)
        rows = (
            (
                one.id,
                one.name,
                one.address,
                one.proposed_by,
                one.approved_by or "-",
                shown(one.state.words),
                f"{one.certificate.not_valid_after_utc:%Y-%m-%d}",
            )
            for one in listed
        )
        OUT.print(grid(_COLUMNS, rows) if listed else shown(_NOBODY))
        for one in listed:  # in full: two persons compare it with what the police read out
            line(f"{one.id} {one.name}: {one.fingerprint}")

    @command(group, Permission.PROPOSE_CLUE_RECIPIENT, "add-recipient")
    def add_recipient(
        name: Annotated[str, typer.Argument(help="Name of the authority, as the dossier shows it.")],
        certificate: Annotated[
            Path, typer.Option("--certificate", help="Its X.509 certificate (RSA), PEM or DER.")
        ],
        address: Annotated[
            str,
            typer.Option(
                "--address",
                help="folder:/path, sftp://user@host:port/path or https://host/path.",
            ),
        ],
    ) -> None:
        """Propose who gets clues, and how; another supervisor approves."""
        with at_desk() as (here, person):
            content = clue_folders.read(certificate)
            made = here.casework.clues.recipients.propose(name, content, address, person, here.now())
        line(f"{made.id}: {made.name}, {made.fingerprint}")
        following = f"duanka clues approve-recipient {made.id} --why …"
        say(f"下一步，由另一名主管：{following}", f"Next, by another supervisor: {following}")

    @command(group, Permission.APPROVE_CLUE_RECIPIENT, "approve-recipient")
    def approve_recipient(recipient: RecipientId, why: Why) -> None:
        """Approve, as another supervisor: from now on clues may be built for it."""
        with at_desk() as (here, person):
            approved = here.casework.clues.recipients.approve(recipient, person, why, here.now())
        say(f"收件机关 {approved.name} 已生效。", f"Recipient {approved.name} is in force.")
        line(approved.fingerprint)

    @command(group, Permission.REMOVE_CLUE_RECIPIENT, "remove-recipient")
    def remove_recipient(recipient: RecipientId, why: Why) -> None:
        """Remove who gets clues, or reject a proposal."""
        with at_desk() as (here, person):
            here.casework.clues.recipients.remove(recipient, person, why, here.now())
        say(f"收件机关 {recipient} 已撤销。", f"Recipient {recipient} is removed.")
