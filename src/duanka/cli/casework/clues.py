"""`duanka clues`: dossiers of cases for the police, from building to their answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.casework import clue_recipients
from duanka.cli.output.grid import grid
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, line, print_list, say
from duanka.cli.people.acting import Why, at_desk, cards_in_file, command
from duanka.cli.shell.language import shown, text_shown
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import CAUTION, ERR, OUT, ExitCode, Prose
from duanka.domain.authority import Permission
from duanka.domain.clue import ClueError, ClueState
from duanka.domain.errors import DuankaError

if TYPE_CHECKING:
    from duanka.bootstrap import settings
    from duanka.bootstrap.casework import clue_folders
    from duanka.bootstrap.casework import clues as wiring
    from duanka.casework.clues import answers
    from duanka.casework.clues.files import manifest
    from duanka.cli.casework import clues_tables as tables
else:
    answers = lazily("duanka.casework.clues.answers")
    clue_folders = lazily("duanka.bootstrap.casework.clue_folders")
    manifest = lazily("duanka.casework.clues.files.manifest")
    settings = lazily("duanka.bootstrap.settings")
    tables = lazily("duanka.cli.casework.clues_tables")
    wiring = lazily("duanka.bootstrap.casework.clues")

ClueId = Annotated[str, typer.Argument(metavar="CLUE", help="Id of the clue, from `clues list`.")]
Out = Annotated[Path, typer.Option("--out", help="New folder for our own files, with numbers masked.")]

commands = typer.Typer()
clues = new_group(commands, "clues")
clue_recipients.add_to(clues)


@command(clues, Permission.BUILD_CLUE)
def build(
    case: Annotated[str, typer.Argument(metavar="CASE", help="Id of the case, from `cases list`.")],
    out: Out,
    why: Why,
    to: Annotated[
        str, typer.Option("--to", help="Who gets it, from `clues recipients`; needed if there are several.")
    ] = "",
) -> None:
    """Build the clue of an open case: dossier (PDF), STIX 2.1 bundle, table of cards, signed manifest.

    The police's files, with numbers in full, are encrypted to their certificate and kept until they acknowledge them.
    """
    with at_desk() as (here, person):
        clue_folders.must_be_new(out)
        made = here.casework.clues.files.build(case, person, why, here.now(), to)
        built = made.clue
        files = here.casework.clues.files.files(built.id, person, why, here.now())
        clue_folders.write(out, files)
    say(
        f"线索 {built.id}：{built.cards} 张卡，其中涉案 {built.confirmed} 张；掩码文件在 {out}",
        f"Clue {built.id}: {built.cards} cards, {built.confirmed} of them confirmed; our files, masked, are in {out}",
    )
    for gap in made.gaps:
        ERR.print(Prose(shown(tables.GAP, why=text_shown(gap)), style=CAUTION))
    following = f"duanka clues review {built.id} --why …"
    say(f"下一步，由另一个人复核：{following}", f"Next, by somebody else: {following}")


@command(clues, Permission.REVIEW_CLUE)
def review(clue: ClueId, why: Why) -> None:
    """Say that a clue is right, as somebody else than who built it; look at it first: `clues show CLUE --out DIR`."""
    with at_desk() as (here, person):
        here.casework.clues.files.review(clue, person, why, here.now())
    following = f"duanka clues send {clue} --why …"
    say(
        f"线索 {clue} 已复核。下一步，由主管：{following}",
        f"Clue {clue} is reviewed. Next, by a supervisor: {following}",
    )


@command(clues, Permission.SEND_CLUE)
def send(clue: ClueId, why: Why) -> None:
    """Send a reviewed clue to its recipient; sending again is safe, and sends nothing twice."""
    with at_desk() as (here, person):
        sent = here.casework.clues.files.send(clue, person, why, here.now())
    say(f"线索 {clue} 已送达：{sent.sent_to}", f"Clue {clue} is sent: {sent.sent_to}")


@command(clues, Permission.ACKNOWLEDGE_CLUE)
def acknowledge(clue: ClueId, why: Why) -> None:
    """Keep that the police have the clue: their files, with numbers in full, are deleted here."""
    with at_desk() as (here, person):
        here.casework.clues.files.acknowledge(clue, person, why, here.now())
    say(
        f"线索 {clue} 已签收，完整文件已删除。",
        f"Clue {clue} is acknowledged; the files in full are deleted.",
    )


@command(clues, Permission.HAND_IN_ANSWER)
def feedback(
    why: Why,
    clue: Annotated[
        str, typer.Argument(metavar="CLUE", help="Id of the clue; a signed --file names it itself.")
    ] = "",
    confirm: Annotated[
        list[str] | None, typer.Option("--confirm", help="A card that is 涉案; several times for more.")
    ] = None,
    refute: Annotated[
        list[str] | None, typer.Option("--refute", help="A card that is not; several times for more.")
    ] = None,
    confirm_file: Annotated[
        Path | None, typer.Option("--confirm-file", help="A file of cards that are 涉案.")
    ] = None,
    refute_file: Annotated[
        Path | None, typer.Option("--refute-file", help="A file of cards that are not.")
    ] = None,
    case_number: Annotated[
        str, typer.Option("--case-number", help="Number of the police's case; a confirmation needs it.")
    ] = "",
    kind: Annotated[str, typer.Option("--kind", help="Kind of the fraud, as the police name it.")] = "",
    stop: Annotated[
        bool, typer.Option("--stop", help="Also stop the confirmed cards, as a police stop.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="An answer as JSON, signed by a source of cases: FILE.sig.")
    ] = None,
) -> None:
    """Take the police's answer to a clue: confirmed cards become 涉案 with their case number, and nothing else does.

    By a person of the police; others hand in an answer that a source of police cases signed (`--file`).
    """
    with at_desk() as (here, person):
        service = here.casework.clues.answers
        if file is not None:
            content, signature = (
                clue_folders.read(one) for one in (file, file.with_name(f"{file.name}.sig"))
            )
            taken = service.signed(content, signature, person, why, here.now())
        elif not clue:
            raise ClueError("name the clue, or give a signed answer with --file")
        else:
            said = answers.Answer(
                (*(confirm or ()), *(cards_in_file(confirm_file) if confirm_file else ())),
                (*(refute or ()), *(cards_in_file(refute_file) if refute_file else ())),
                case_number,
                kind,
                stop,
            )
            taken = service.answer(clue, said, person, why, here.now())
    for text in tables.answered(taken):
        line(text)


@command(clues, Permission.LIST_CLUES, "list")
@lists()
def list_clues(
    state: Annotated[
        list[ClueState] | None, typer.Option("--state", help="Only clues in this state.")
    ] = None,
    *,
    asked: ListOptions,
) -> None:
    """List clues, the latest first: counts, and no card."""
    with at_desk() as (here, person):

        def fetch(after: str, limit: int) -> tables.FetchedClues:
            page = here.casework.clues.files.page(person, tuple(state or ()), after or None, limit)
            return tables.FetchedClues(page.clues, page.following)

        print_list(tables.CLUES, every(fetch), asked.of(person))


@command(clues, Permission.READ_CLUE)
def show(
    clue: ClueId,
    why: Why,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write our own files, masked, to a new folder.")
    ] = None,
) -> None:
    """Show a clue and its cards, masked; the audit trail has who and why."""
    with at_desk() as (here, person):
        if out:
            clue_folders.must_be_new(out)
        found, cards = here.casework.clues.files.show(clue, person, why, here.now())
        if out:
            clue_folders.write(out, here.casework.clues.files.files(clue, person, why, here.now()))
    OUT.print(tables.clue_page(found, cards))


@command(clues, Permission.EXPORT_LABELS)
def labels(
    out: Annotated[Path, typer.Option("--out", help="New file: the table cases, as CSV, numbers in full.")],
    why: Why,
) -> None:
    """Write the cards that stand confirmed (涉案) as the table `cases`: labels for scores, and to measure detection.

    A scan stops no card for it: there it counts only if a source of police cases signs it (`cases sign`).
    """
    with at_desk() as (here, person):
        clue_folders.must_be_new(out)
        content, rows = here.casework.clues.labels.export(person, why, here.now())
        clue_folders.write_new(out, content)
    say(f"{rows:,} 条涉案确认写入 {out}", f"{rows:,} confirmations are in {out}")


@clues.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of a clue, or of its unpacked package.")],
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", help="Key of who made it (`clues key`), PEM; else this installation's."),
    ] = None,
) -> None:
    """Verify the files of a clue: one changed byte, a missing or an added file, or another key is told."""
    if public_key is not None:
        key = manifest.public_key_in(clue_folders.read(public_key), str(public_key))
    elif secret := settings.load_settings().known_secret:
        key = wiring.clue_key(secret).public
    else:
        raise DuankaError("there is no installation here whose key could be compared: give --public-key FILE")
    files = manifest.folder_files(folder)
    found = manifest.faults_of(files, key)
    if found:
        OUT.print(grid(tables.FAULTS, ((one.name, shown(one.fault.words)) for one in found)))
        raise typer.Exit(ExitCode.LOOK)
    count = len(files) - 2
    say(f"全部相符：{count} 个文件，签名有效。", f"All holds: {count} files, and the signature is good.")


@command(clues, Permission.LIST_CLUES)
def key(
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
) -> None:
    """Print the public key of this installation's clues, PEM: the police compare their files with it."""
    with at_desk() as (here, _):
        pem = here.casework.clues.files.public_key
    if out is None:
        line(pem.decode().rstrip())
        return
    clue_folders.write_key(out, pem)
    say(f"公钥已写入 {out}", f"The public key is in {out}")
