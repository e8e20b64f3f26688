"""Whether the other side ended a connection while nobody was asking: what was restarted meanwhile answers again."""

from __future__ import annotations

import socket


def hung_up(connection: socket.socket) -> bool:
    """Whether nothing can come any more, found out without waiting; what has come is left where it is."""
    patience = connection.gettimeout()
    connection.setblocking(False)  # with a timeout, recv would wait for as long
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(patience)
