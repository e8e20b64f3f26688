"""`duanka cards statement`: everything that was held and done about a card, for its holder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.cli.output.lists import say
from duanka.cli.people.acting import Why, at_desk, card_meant, command
from duanka.cli.shell.completion import choices, orders_like
from duanka.cli.shell.language import shown, text_shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import ERR
from duanka.domain.authority import Permission
from duanka.domain.counter_check import Document
from duanka.domain.private_files import write_private
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import settings
    from duanka.bootstrap.orders import OrderDesk
    from duanka.bootstrap.outputs import files
    from duanka.orders.papers.statements import service
else:
    files = lazily("duanka.bootstrap.outputs.files")
    settings = lazily("duanka.bootstrap.settings")
    service = lazily("duanka.orders.papers.statements.service")

_DOCUMENTS = choices(BilingualText("证件", "document"), Document)

_NO_RECORDS = BilingualText(
    "说明中不会有现存哪些日期的通话记录，只有保存期限：{why}",
    "The statement will not say of which days records are held, only how long they are kept: {why}",
)

commands = typer.Typer()


@command(commands, Permission.GIVE_STATEMENT)
def statement(
    card: Annotated[
        str,
        typer.Argument(
            help="For example 13800000000, or the id of an order about it.", autocompletion=orders_like
        ),
    ],
    why: Why,
    out: Annotated[Path, typer.Option("--out", help="New file, PDF; it has the number in full.")],
    document: Annotated[
        Literal["id_card", "residence_permit", "passport", "other"],
        _DOCUMENTS.option(help="Document that the holder showed; its number is not kept."),
    ],
    counter: Annotated[str, typer.Option(help="Where they showed it.")],
    language: Annotated[Literal["zh", "en"], typer.Option(help="Language of the statement.")] = "zh",
) -> None:
    """Write a holder the statement of all that is held and was done about their card, after their document was seen."""
    with at_desk(first=_say_what_is_missing) as (here, person):
        files.may_export(out, "--out", settings.load_settings())
        number = card_meant(here, card)
        seen = service.IdentitySeen(Document(document), counter)
        made = here.papers.statements.give(number, seen, person, why, here.now(), language)
        write_private(out, made)
    say(
        f"{out}：{len(made):,} 字节，号码为完整号码，只交给机主本人。",
        f"{out}: {len(made):,} bytes, with the number in full: for its holder alone.",
    )


def _say_what_is_missing(here: OrderDesk) -> None:
    """Say, before anything is asked or set, what of the card cannot be in the statement."""
    why = here.papers.statements.without_records()
    if why:
        ERR.print(
            shown(_NO_RECORDS, why=text_shown(why)),
            style="bold",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
