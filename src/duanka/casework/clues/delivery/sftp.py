"""Delivery by SFTP: OpenSSH's `sftp` in batch mode, to a host whose key is known, with a key of ours.

The files go to a folder aside, and are renamed as one: the police's end sees the whole clue or none. After any fault
the next send looks first whether the whole clue is there already.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from duanka.casework.clues.delivery.address import Address, DeliveryFailed
from duanka.domain.clue import ClueError
from duanka.domain.private_files import private_file

_WITHIN_SECONDS = 300
_CONNECT_SECONDS = 15
_INSTALL = "install OpenSSH's client: `apt install openssh-client`"


class SftpDelivery:
    """Puts clues on an SFTP server. `key`: private key without a password; `known_hosts`: keys of hosts that we trust.

    `program`: of OpenSSH. ClueError: the key or the known hosts are not named.
    """

    def __init__(
        self, address: Address, key: Path | None, known_hosts: Path | None, program: str = "sftp"
    ) -> None:
        if key is None or known_hosts is None:
            raise ClueError(
                "SFTP needs a key of ours and the known keys of hosts: set DUANKA_CLUE_SFTP_KEY and"
                " DUANKA_CLUE_KNOWN_HOSTS (docs/CASEWORK.md)"
            )
        self._address, self._key, self._known_hosts, self._program = address, key, known_hosts, program

    def put(self, clue: str, files: Mapping[str, bytes]) -> str:
        """Put the files there. DeliveryFailed: no connection, another host key, or another clue is there."""
        whole, where = f"{self._address.path.rstrip('/')}/{clue}", f"{self._address.host}:{clue}"
        with TemporaryDirectory(prefix="duanka-clue-") as held:
            if self._is_there(clue, whole, files, Path(held)):
                return where
            local = Path(held) / "out"
            local.mkdir(mode=0o700)
            for name, content in files.items():
                private_file(local / name).write_bytes(content)  # encrypted already
            aside = f"{self._address.path.rstrip('/')}/.{clue}.{secrets.token_hex(4)}.unfinished"
            puts = [f'put "{local / name}" {aside}/{name}' for name in files]
            done = self._run([f"mkdir {aside}", *puts, f"rename {aside} {whole}"])
            if done.returncode and not self._is_there(clue, whole, files, Path(held)):
                raise DeliveryFailed(
                    f"{self._address.host} did not take the clue: {_why(done)}; send it again"
                )
        return where

    def _is_there(self, clue: str, whole: str, files: Mapping[str, bytes], held: Path) -> bool:
        """Whether the whole clue is there; what sends that were killed left aside is removed."""
        listed = self._run([f"ls -1a {self._address.path}"])
        if listed.returncode:
            raise DeliveryFailed(f"{self._address.host} cannot be asked: {_why(listed)}")
        names = {line.strip().rstrip("/").rpartition("/")[2] for line in listed.stdout.splitlines()}
        if clue not in names:
            for name in sorted(
                one for one in names if one.startswith(f".{clue}.") and one.endswith(".unfinished")
            ):
                left = f"{self._address.path.rstrip('/')}/{name}"
                self._run([f"-rm {left}/*", f"-rmdir {left}"])
            return False
        back = held / "back"
        back.mkdir(mode=0o700, exist_ok=True)
        self._run([f'get {whole}/{name} "{back / name}"' for name in files])
        found = {path.name: path.read_bytes() for path in back.iterdir()}
        if found != files:
            raise DeliveryFailed(
                f"{self._address.host} has another {clue}: ask the police to look, and send again"
            )
        return True

    def _run(self, batch: list[str]) -> subprocess.CompletedProcess[str]:
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self._known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "IdentityFile": str(self._key),
            "IdentitiesOnly": "yes",
            "ConnectTimeout": str(_CONNECT_SECONDS),
            "ForwardAgent": "no",
        }
        named = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        to = f"{self._address.user}@{self._address.host}"
        command = [
            self._program,
            "-q",
            "-F",
            "/dev/null",
            *named,
            "-P",
            str(self._address.port),
            "-b",
            "-",
            to,
        ]
        try:
            return subprocess.run(  # noqa: S603  # no shell; the address was checked
                command,
                input="\n".join([*batch, "bye", ""]),
                capture_output=True,
                text=True,
                timeout=_WITHIN_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise DeliveryFailed(f"there is no program {self._program}; {_INSTALL}") from None
        except subprocess.TimeoutExpired:
            raise DeliveryFailed(
                f"{self._address.host} did not answer within {_WITHIN_SECONDS} s; send it again"
            ) from None


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """The last thing that sftp said."""
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return " · ".join(said[-2:]) or f"sftp ended with {done.returncode}"
