"""A real OpenSSH server on loopback for tests, with SFTP alone, ended by its own process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from support.parts import needed
from support.waiting import until

SSHD = "/usr/sbin/sshd"
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/client_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
ForceCommand internal-sftp
LogLevel ERROR
"""


@dataclass(frozen=True)
class SftpServer:
    """A server at `port`. `inbox`: where clues land; `key`, `known_hosts`: of who delivers them."""

    port: int
    inbox: Path
    key: Path
    known_hosts: Path

    @property
    def address(self) -> str:
        return f"sftp://{getuser()}@127.0.0.1:{self.port}{self.inbox}"


@contextmanager
def sftp_server(folder: Path) -> Iterator[SftpServer]:
    """Start it with new keys in `folder`."""
    missing = [one for one in (SSHD, "sftp", "ssh-keygen") if shutil.which(one) is None]
    needed(f"no {', '.join(missing)}: apt install openssh-server openssh-client" if missing else "")
    inbox = folder / "inbox"
    inbox.mkdir(parents=True)
    for name in ("host_key", "client_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    (folder / "sshd_config").write_text(_CONFIG.format(port=port, folder=folder))
    public = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd drops its privileges there
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
        try:
            until(lambda: _listens(port) or server.poll() is not None)
            assert server.poll() is None, (folder / "sshd.log").read_text()
            yield SftpServer(port, inbox, folder / "client_key", folder / "known_hosts")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
