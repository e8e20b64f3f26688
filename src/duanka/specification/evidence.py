"""Evidence: which tests of which run showed each requirement, and of which code that run was."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from duanka.domain.errors import UnreadableInput

RESULTS = "build/requirements.json"  # written by every whole test run, in the form of the evidence
EVIDENCE = Path(__file__).with_name("evidence.json")  # shipped; `make evidence` writes it
FOLDERS = ("src", "tests", "policies", "mappings")  # the code that a run is of
_OURS = ("evidence.json", "measured.json")  # written from runs, so no part of what ran
_DIGITS = 12  # of SHA-256: two files of one path do not collide by chance
_AGAIN = "`make test`, then `make evidence`, writes it again"


@dataclass(frozen=True)
class Shown:
    """How the tests of one requirement went in one test file."""

    passed: int
    failed: int


@dataclass(frozen=True)
class EvidenceRun:
    """One run of the whole test suite.

    `date`: when it began, ISO; `version` of Duanka, `python` and `system`: on what; `tests`: all that ran.
    `files`: path -> digest of every file of the code as the run found it. `shown`: requirement -> test file -> counts;
    a skipped test shows nothing and counts as failed. `failed`: ids of the tests of requirements that did not pass.
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
        """SHA-256 over paths and digests of the code: 16 hexadecimal digits."""
        lines = "".join(f"{path} {digest}\n" for path, digest in sorted(self.files.items()))
        return sha256(lines.encode()).hexdigest()[:16]

    def tests_of(self, number: str) -> tuple[int, int]:
        """(passed, failed) over all test files of a requirement."""
        files = self.shown.get(number, {}).values()
        return sum(one.passed for one in files), sum(one.failed for one in files)


def evidence_of(
    outcomes: Mapping[str, Mapping[str, bool]],
    *,
    date: str,
    version: str,
    python: str,
    system: str,
    tests: int,
    files: Mapping[str, str],
) -> EvidenceRun:
    """Evidence from a run's outcomes: requirement -> test id -> passed."""
    shown = dict[str, dict[str, Shown]]()
    for number, by_test in sorted(outcomes.items()):
        found = dict[str, Shown]()
        for test, passed in sorted(by_test.items()):
            file = test.partition("::")[0]
            so_far = found.get(file, Shown(0, 0))
            found[file] = Shown(so_far.passed + passed, so_far.failed + (not passed))
        shown[number] = found
    failed = {test for by_test in outcomes.values() for test, passed in by_test.items() if not passed}
    return EvidenceRun(date, version, python, system, tests, dict(files), shown, tuple(sorted(failed)))


def write(evidence: EvidenceRun, path: Path) -> None:
    """Write evidence as JSON, a line for each file, so that a change is small; for everybody to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(evidence), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def results(path: Path) -> EvidenceRun | None:
    """Read evidence; None when there is no file. UnreadableInput when it holds anything else."""
    if not path.is_file():
        return None
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        shown = {
            str(number): {
                str(file): Shown(int(one["passed"]), int(one["failed"])) for file, one in by.items()
            }
            for number, by in read["shown"].items()
        }
        files = {str(file): str(digest) for file, digest in read["files"].items()}
        about = {name: str(read[name]) for name in ("date", "version", "python", "system")}
        failed = tuple(map(str, read["failed"]))
        return EvidenceRun(**about, tests=int(read["tests"]), files=files, shown=shown, failed=failed)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UnreadableInput(f"{path}: holds no results of a test run ({what}); {_AGAIN}") from error


def code_of(root: Path) -> dict[str, str]:
    """Path -> digest of every file of the code under `root`, whatever version control says of it."""
    return {
        path.relative_to(root).as_posix(): _digest(path)
        for folder in FOLDERS
        for path in _files(root / folder)
    }


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
        if not hidden and path.suffix != ".pyc" and path.name not in _OURS and path.is_file():
            yield path


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:_DIGITS]


@dataclass(frozen=True)
class Age:
    """What changed since a run. `changed`: files that were changed, added or removed; `whole`: all could be compared.

    Without the sources (an installed package) only the program itself can be.
    """

    changed: tuple[str, ...]
    whole: bool


def age(evidence: EvidenceRun, root: Path | None, package: Path) -> Age:
    """Compare the code of a run with that of now. `root`: of the sources; None: only `package` is here."""
    if root is not None:
        return Age(_differing(evidence.files, code_of(root)), whole=True)
    prefix = "src/duanka/"
    now = {prefix + path.relative_to(package).as_posix(): _digest(path) for path in _files(package)}
    theirs = {path: digest for path, digest in evidence.files.items() if path.startswith(prefix)}
    return Age(_differing(theirs, {path: now[path] for path in theirs.keys() & now.keys()}), whole=False)


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    either: Collection[str] = before.keys() | now.keys()
    return tuple(sorted(path for path in either if before.get(path) != now.get(path)))
