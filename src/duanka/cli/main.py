"""Entry point of the command line; exit codes are in `cli.shell.process.ExitCode`."""

from __future__ import annotations

import errno
import sys
import warnings
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka import __version__
from duanka.bootstrap import work_folder as place
from duanka.cli.shell import language as cli_language
from duanka.cli.shell.lazy import DeferredCommand, deferred_group, lazily
from duanka.cli.shell.process import ERR, OUT, ExitCode, prepare_process, repeat_home
from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.phone_masking import masked_text

if TYPE_CHECKING:
    from duanka.bootstrap.settings import Settings
    from duanka.cli.detection import live as cli_live
    from duanka.cli.detection import mapping as cli_mapping
    from duanka.cli.detection import morning as cli_morning
    from duanka.cli.detection import record_options as cli_records
    from duanka.cli.detection import rules as cli_rules
    from duanka.cli.detection import scan as cli_scan
    from duanka.cli.operations import doctor as cli_doctor
    from duanka.cli.operations import network as cli_network
    from duanka.cli.operations import serve as cli_serve
    from duanka.cli.operations import settings as cli_settings
    from duanka.cli.operations import specification as cli_specification
    from duanka.cli.orders import cards_audit as cli_desk
    from duanka.cli.orders import counter_reviews as cli_identity
    from duanka.cli.orders import database as cli_database
    from duanka.cli.orders import objections as cli_objections
    from duanka.cli.orders import orders as cli_orders
    from duanka.cli.people import persons as cli_persons
else:
    cli_database = lazily("duanka.cli.orders.database")
    cli_desk = lazily("duanka.cli.orders.cards_audit")
    cli_doctor = lazily("duanka.cli.operations.doctor")
    cli_identity = lazily("duanka.cli.orders.counter_reviews")
    cli_live = lazily("duanka.cli.detection.live")
    cli_mapping = lazily("duanka.cli.detection.mapping")
    cli_morning = lazily("duanka.cli.detection.morning")
    cli_network = lazily("duanka.cli.operations.network")
    cli_objections = lazily("duanka.cli.orders.objections")
    cli_orders = lazily("duanka.cli.orders.orders")
    cli_persons = lazily("duanka.cli.people.persons")
    cli_records = lazily("duanka.cli.detection.record_options")
    cli_rules = lazily("duanka.cli.detection.rules")
    cli_scan = lazily("duanka.cli.detection.scan")
    cli_serve = lazily("duanka.cli.operations.serve")
    cli_settings = lazily("duanka.cli.operations.settings")
    cli_specification = lazily("duanka.cli.operations.specification")

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# commands whose errors may quote phone numbers
_ABOUT_CARDS = ("orders", "cards", "objections", "counter", "reviews", "keys", "audit")


def _settings() -> Settings:
    from duanka.bootstrap.settings import load_settings  # noqa: PLC0415  # importing pydantic takes longer than all else in --help

    return load_settings()


# Each function imports one module and adds its commands.
def _records(app: typer.Typer) -> None:
    cli_scan.add_records(app)


def _rules(app: typer.Typer) -> None:
    cli_rules.add_rules(app)


def _mapping(app: typer.Typer) -> None:
    cli_mapping.add_mapping(app, OUT)


def _morning(app: typer.Typer) -> None:
    cli_morning.add_morning(app, OUT, ERR, _settings, cli_records.share_of)


def _live(app: typer.Typer) -> None:
    cli_live.add_live(app)


def _processes(app: typer.Typer) -> None:
    cli_serve.add_serve(app)


def _orders(app: typer.Typer) -> None:
    cli_orders.add_orders(app, OUT, _settings)


def _objections(app: typer.Typer) -> None:
    cli_objections.add_objections(app, OUT, _settings)


def _desk(app: typer.Typer) -> None:
    cli_desk.add_desk(app, OUT, ERR, _settings)


def _database(app: typer.Typer) -> None:
    cli_database.add_database(app, OUT, _settings)


def _identity(app: typer.Typer) -> None:
    cli_identity.add_identity(app, OUT, _settings)


def _persons(app: typer.Typer) -> None:
    cli_persons.add_persons(app, OUT, _settings)


def _specification(app: typer.Typer) -> None:
    cli_specification.add_specification(app)


def _network(app: typer.Typer) -> None:
    cli_network.add_network(app, OUT, _settings)


def _doctor(app: typer.Typer) -> None:
    cli_doctor.add_doctor(app)


def _installation(app: typer.Typer) -> None:
    cli_settings.add_settings(app)


# Each help text is the first paragraph of the command's own help; a test compares them.
COMMANDS = (
    DeferredCommand(
        "simulate",
        "Invent a province with known truth: records in our own format, and truth.parquet.",
        _records,
    ),
    DeferredCommand(
        "scan",
        "Find the cards at risk in a directory of records; exit code 3 when too many records were quarantined.",
        _records,
    ),
    DeferredCommand(
        "evaluate",
        "Compare a scan with the truth: precision, recall, and what it costs honest people.",
        _records,
    ),
    DeferredCommand(
        "spec",
        "What is required of Duanka, what of it works, and by which tests; a page to read; confirming it.",
        _specification,
    ),
    DeferredCommand("mapping", "Mappings 映射: find one for your files, and try it.", _mapping),
    DeferredCommand(
        "quarantine",
        "Count the records that were set aside by reason, show the first of each, and say what to do.",
        _mapping,
    ),
    DeferredCommand(
        "morning", "Take in what came since yesterday; write today's lists and what changed.", _morning
    ),
    DeferredCommand("rules", "The catalogue of rules: list, show, test, backtest.", _rules),
    DeferredCommand(
        "live",
        "Follow records as they come, and judge them minute by minute by the same rules as scan.",
        _live,
    ),
    DeferredCommand(
        "serve", "Run API, order worker and intake in one process, until Ctrl-C (docs/ORDERS.md).", _processes
    ),
    DeferredCommand(
        "demo",
        "An invented gang calls over a real home register, call proxy and message path, and goes dark.",
        _processes,
    ),
    DeferredCommand(
        "call-proxy", "Become a Kamailio that refuses calls of stopped cards (docs/NETWORK.md).", _processes
    ),
    DeferredCommand(
        "message-proxy",
        "Pass short messages on, and refuse those of stopped cards and what the policy names (docs/NETWORK.md).",
        _processes,
    ),
    DeferredCommand(
        "orders",
        "Orders 工单: verify, stop, restore. Who acts is told by DUANKA_API_KEY (`duanka whoami`).",
        _orders,
    ),
    DeferredCommand(
        "objections",
        "Objections 异议: list them, file one for a holder, accept it, decide it.",
        _objections,
    ),
    DeferredCommand("cards", "Cards 号码: everything that the order book knows of one.", _desk),
    DeferredCommand(
        "counter",
        "Counter 营业厅: verify a holder in person; where the policy says so, two of the staff.",
        _identity,
    ),
    DeferredCommand("reviews", "Reviews 人工复核: checks online that a person must look at.", _identity),
    DeferredCommand(
        "persons",
        "People 人员: who may act. One proposes a person or a change, a supervisor approves.",
        _persons,
    ),
    DeferredCommand("keys", "Keys 密钥 of people; `duanka persons` says who they are.", _persons),
    DeferredCommand("whoami", "Say whose key DUANKA_API_KEY is: id, name, role and scope.", _persons),
    DeferredCommand("cases", "Cases 涉案名单: sign a file of police cases.", _persons),
    DeferredCommand("network", "The network's elements 网元: where orders are carried out.", _network),
    DeferredCommand("audit", "The audit trail 审计.", _desk),
    DeferredCommand(
        "database", "The order database 工单数据库: its version, its upgrade, copies of it.", _database
    ),
    DeferredCommand(
        "init",
        "Make a place: duanka.toml, folders, secret, order book, a first supervisor, an invitation for the second.",
        _installation,
    ),
    DeferredCommand(
        "config",
        "Print every setting, its value and where it is from; secrets are not shown (docs/SETTINGS.md).",
        _installation,
    ),
    DeferredCommand(
        "doctor",
        "Check settings, folders, database, people, network and optional parts; say what to do next.",
        _doctor,
    ),
)
cli = typer.Typer(
    name="duanka",
    cls=deferred_group(COMMANDS),
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
        typer.Option(help="Language of tables; else DUANKA_LANGUAGE, locale, zone (docs/SETTINGS.md)."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    place.choose(home)
    repeat_home(home, (one.name for one in COMMANDS if one.name != "init"))  # `init` creates another folder
    cli_language.begin(language)
    if version:
        OUT.print(f"duanka {__version__}", highlight=False)
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
            ERR.print("duanka: interrupted; what an earlier scan wrote is as it was", style="red")
        raise
    except DuankaError as error:
        told = (
            masked_text(str(error)) if {*sys.argv[1:]} & {*_ABOUT_CARDS} else str(error)
        )  # --home may come before the command
        ERR.print(f"duanka: {told}", style="red", highlight=False, soft_wrap=True)
        sys.exit(ExitCode.WRONG_USE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        next_step = MAKE_ROOM if error.errno in NO_ROOM else ""
        ERR.print(f"duanka: {where}{error.strerror or error}{next_step}", style="red", soft_wrap=True)
        sys.exit(ExitCode.WRONG_USE)
    except Exception as error:
        if "sqlalchemy" not in sys.modules:
            raise
        from duanka.ledger.db.database import in_words  # noqa: PLC0415  # already imported

        if (said := in_words(error)) is None:
            raise
        ERR.print(f"duanka: {said}", style="red", highlight=False, soft_wrap=True)
        sys.exit(ExitCode.WRONG_USE)


if __name__ == "__main__":
    main()
