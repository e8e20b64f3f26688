"""Entry point of the command line; exit codes are in `cli.shell.process.ExitCode`."""

from __future__ import annotations

import errno
import sys
import warnings
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

import typer

from duanka import __version__
from duanka.bootstrap import home_folder
from duanka.cli.shell import language as cli_language
from duanka.cli.shell.lazy import deferred_group
from duanka.cli.shell.process import ERR, OUT, ExitCode, prepare_process, repeat_home
from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.phone_masking import masked_text
from duanka.domain.text import BilingualText

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# commands whose errors may quote phone numbers
_ABOUT_CARDS = (
    *("orders", "cards", "store", "objections", "counter", "reviews", "keys", "audit"),
    *("cases", "clues", "victims", "accounts", "assess"),
)


_INTERRUPTED = BilingualText(
    "已中断；先前扫描写下的都保持原样", "interrupted; what an earlier scan wrote is as it was"
)

# Command -> its help. The help of a single command repeats the first paragraph of its docstring.
COMMANDS = {
    "simulate": "Invent a province with known truth: records in our own format, and truth.parquet.",
    "scan": "Find the cards at risk in a directory of records; exit code 3 when too many cannot be used.",
    "evaluate": "Compare a scan with the truth: precision, recall, and what it costs honest people.",
    "spec": "What is required of Duanka, what of it works, and by which tests; a page to read; confirming it.",
    "mapping": "Mappings 映射: find one for your files, and try it.",
    "quarantine": "Count the records that were set aside by reason, show the first of each, and say what to do.",
    "morning": "Take in what came since yesterday; write today's lists and what changed.",
    "rules": "The catalogue of rules: list, show, test, backtest.",
    "live": "Follow records as they come, and judge them minute by minute by the same rules as scan.",
    "serve": "Run API, order worker and intake in one process, until Ctrl-C (docs/ORDERS.md).",
    "demo": "An invented gang calls over a real home register, call proxy and message path, and goes dark.",
    "call-proxy": "Become a Kamailio that refuses calls of stopped cards (docs/NETWORK.md).",
    "message-proxy": "Pass short messages on, and refuse those of stopped cards and what the policy names "
    "(docs/NETWORK.md).",
    "orders": "Orders 工单: verify, stop, restore. DUANKA_API_KEY says who acts (`duanka whoami`).",
    "objections": "Objections 异议: list them, file one for a holder, accept it, decide it.",
    "cards": "Cards 号码: everything that the order database knows of one.",
    "store": "The store 记录库: what it holds; every record of a card, who was in contact with whom (docs/STORE.md).",
    "links": "Links 关联: the graph of cards; from one device, card or outlet to the ring behind it (docs/LINKS.md).",
    "counter": "Counter 营业厅: verify a holder in person; where the policy says so, two of the staff.",
    "reviews": "Reviews 人工复核: checks online that a person must look at.",
    "persons": "People 人员: who may act. One proposes a person or a change, a supervisor approves.",
    "keys": "Keys 密钥 of people; `duanka persons` says who they are.",
    "whoami": "Say whose key DUANKA_API_KEY is: id, name, role and scope.",
    "cases": "Cases 案件: case files from opening to closing (docs/CASEWORK.md); sign a file of police cases.",
    "clues": "Clues 线索: the dossier of a case for the police, and what they answer (docs/CASEWORK.md).",
    "victims": "Victims 受害人: who is in danger through confirmed cards; warnings and calls (docs/CASEWORK.md).",
    "accounts": "Linked accounts 关联账号: what platforms are asked and answer; what is to be taken down"
    " (docs/CASEWORK.md).",
    "assess": "Assessment 考核: a period counted by operator, city and outlet; listing for rectification"
    " (docs/ASSESSMENT.md).",
    "figures": "Count calls and messages intercepted, numbers handled, clues to the police and victims dissuaded.",
    "report": "Reports 报表: the assessment of a period as PDF or workbook (docs/ASSESSMENT.md).",
    "network": "The network's elements 网元: where orders are carried out.",
    "audit": "The audit trail 审计.",
    "database": "The order database 工单库: its version, its upgrade, copies of it.",
    "init": (
        "Make a home folder: duanka.toml, folders, secret, order database, first supervisor, invitation of the second."
    ),
    "config": "Print every setting, its value and where it is from; secrets are not shown (docs/SETTINGS.md).",
    "doctor": "Check settings, folders, database, people, network and optional parts; say what to do next.",
}
_MODULES = {  # module below `duanka.cli` -> the commands that it has
    "detection.scan": ("simulate", "scan", "evaluate"),
    "operations.specification": ("spec",),
    "detection.mapping": ("mapping", "quarantine"),
    "detection.morning": ("morning",),
    "detection.rules": ("rules",),
    "detection.live": ("live",),
    "operations.serve": ("serve", "demo", "call-proxy", "message-proxy"),
    "orders.orders": ("orders",),
    "orders.objections": ("objections",),
    "orders.cards_audit": ("cards", "audit"),
    "store.lookups": ("store",),
    "links.commands": ("links",),
    "orders.counter_reviews": ("counter", "reviews"),
    "people.persons": ("persons", "keys", "whoami"),
    "casework.cases": ("cases",),
    "casework.clues": ("clues",),
    "casework.victims": ("victims",),
    "casework.accounts": ("accounts",),
    "assessment.commands": ("assess",),
    "assessment.figures": ("figures",),
    "assessment.reports": ("report",),
    "operations.network": ("network",),
    "orders.database": ("database",),
    "operations.settings": ("init", "config"),
    "operations.doctor": ("doctor",),
}
cli = typer.Typer(
    name="duanka",
    cls=deferred_group(COMMANDS, _MODULES),
    help="断卡 Duanka: find the phone cards that fraud runs on, and say why. Times are local to the operator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@cli.callback(invoke_without_command=True)
def _root(
    home: Annotated[
        Path | None,
        typer.Option(help="Folder with duanka.toml (`duanka init`); else DUANKA_HOME, else upward."),
    ] = None,
    language: Annotated[
        Literal["zh", "en"] | None,
        typer.Option(
            is_eager=True,
            callback=cli_language.begin,
            help="Display language; else DUANKA_LANGUAGE, locale, zone (docs/SETTINGS.md).",
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    home_folder.choose(home)
    repeat_home(home, COMMANDS.keys() - {"init"})  # `init` creates another folder
    if version:
        OUT.print(f"duanka {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line.

    Errors that a person can correct are one line, no traceback.
    """
    prepare_process()
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # may be None or another type when started by a desktop program
            stream.reconfigure(errors="replace")  # a terminal without Chinese still shows the rest
    try:
        cli()
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:
            _report(_INTERRUPTED.in_(cli_language.language_of_texts()))
        raise
    except DuankaError as error:
        _report(
            masked_text(str(error)) if {*sys.argv[1:]} & {*_ABOUT_CARDS} else str(error)
        )  # looks at all arguments: --home may come before the command
        sys.exit(ExitCode.WRONG_USE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _report(f"{where}{error.strerror or error}{MAKE_ROOM if error.errno in NO_ROOM else ''}")
        sys.exit(ExitCode.WRONG_USE)
    except Exception as error:
        if "sqlalchemy" not in sys.modules:
            raise
        from duanka.ledger.db.database import in_words  # noqa: PLC0415  # already imported

        if (said := in_words(error)) is None:
            raise
        _report(str(said))
        sys.exit(ExitCode.WRONG_USE)


def _report(error: str) -> None:
    """Print an error in the display language."""
    ERR.print(f"duanka: {cli_language.text_shown(error)}", style="red", soft_wrap=True)


if __name__ == "__main__":
    main()
