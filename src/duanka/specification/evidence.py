"""Evidence of requirements: results of a test run, digests of the tested code."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from duanka.domain.errors import UnreadableInput
from duanka.specification.document import Requirement, State

RESULTS = "build/requirements.json"  # written by every complete test run, in the format of the evidence
EVIDENCE = Path(__file__).with_name("evidence.json")  # shipped; written by `make evidence`
FOLDERS = ("src", "tests", "policies", "mappings")  # code covered by the digests
_GENERATED = ("evidence.json", "measured.json")  # derived from runs, so not part of the code
_BUILT = "src/duanka/api/console/"  # made of `console/` by `make console`, under names that change with it
_DIGEST_DIGITS = 12  # of SHA-256; sufficient against accidental collisions
_AGAIN = "`make test`, then `make evidence`, writes it again"
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Shown:
    """Counts of passed and failed tests of one requirement in one file."""

    passed: int
    failed: int


@dataclass(frozen=True)
class EvidenceRun:
    """One run of the complete test suite.

    `date`: start, ISO 8601. `version`: of Duanka. `python`, `system`: the platform. `tests`: number of tests
    run. `files`: path -> digest of each code file when the run started. `shown`: requirement -> test file ->
    counts; a skipped test counts as failed. `failed`: ids of those tests that did not pass.
    """

    date: str
    version: str
    python: str
    system: str
    tests: int
    files: Mapping[str, str]
    shown: Mapping[str, Mapping[str, Shown]]
    failed: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """SHA-256 over paths and digests of the code: 16 hex digits."""
        lines = "".join(f"{path} {digest}\n" for path, digest in sorted(self.files.items()))
        return sha256(lines.encode()).hexdigest()[:16]

    def tests_of(self, number: str) -> tuple[int, int]:
        """(passed, failed) over all test files of a requirement."""
        files = self.shown.get(number, {}).values()
        return sum(one.passed for one in files), sum(one.failed for one in files)


def state_of(requirement: Requirement, ran: EvidenceRun | None) -> tuple[State, int]:
    """State supported by tests, and the number of tests.

    Without a passed test it is `not yet`, whatever the document says; with a failed one, `partly`; without a
    run, as in the document. `partly` in the document remains: tests cannot know what is missing.
    """
    if ran is None:
        return requirement.state, 0
    passed, failed = ran.tests_of(requirement.number)
    if not passed:
        return "not yet", failed
    if failed:
        return "partly", passed + failed
    return ("partly" if requirement.state == "partly" else "works"), passed


def results(path: Path) -> EvidenceRun | None:
    """Read evidence; None without a file. UnreadableInput: the content is invalid."""
    return from_json(EvidenceRun, path, "results of a test run", _AGAIN) if path.is_file() else None


def from_json(kind: type[Kind], path: Path, what: str, again: str) -> Kind:
    """Read a dataclass from JSON. UnreadableInput says that it is no `what`, and how to write it `again`."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415  # most commands read no such file

    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror}); {again}") from error
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise UnreadableInput(f"{path}: holds no {what} ({where}: {wrong['msg']}); {again}") from error


def code_of(root: Path) -> dict[str, str]:
    """Path -> digest of each code file under `root`; independent of version control."""
    named = {path.relative_to(root).as_posix(): path for folder in FOLDERS for path in _files(root / folder)}
    return {name: _digest(path) for name, path in named.items() if not name.startswith(_BUILT)}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
        if not hidden and path.suffix != ".pyc" and path.name not in _GENERATED and path.is_file():
            yield path


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:_DIGEST_DIGITS]


@dataclass(frozen=True)
class Age:
    """Files `changed` since a run. `whole`: all code was compared, not only the installed package."""

    changed: tuple[str, ...]
    whole: bool


def age(evidence: EvidenceRun, root: Path | None, package: Path) -> Age:
    """Compare with the present code under `root`; None: only the installed `package` is there."""
    if root is not None:
        return Age(_differing(evidence.files, code_of(root)), whole=True)
    prefix = "src/duanka/"
    now = {prefix + path.relative_to(package).as_posix(): _digest(path) for path in _files(package)}
    theirs = {path: digest for path, digest in evidence.files.items() if path.startswith(prefix)}
    return Age(_differing(theirs, {path: now[path] for path in theirs.keys() & now.keys()}), whole=False)


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    either: Collection[str] = before.keys() | now.keys()
    return tuple(sorted(path for path in either if before.get(path) != now.get(path)))
