"""Detection of a connection that the peer closed while it was idle.

After a restart of the peer the client can then reconnect instead of failing one call.
"""

from __future__ import annotations

import socket


def socket_is_closed(connection: socket.socket) -> bool:
    """Return whether the peer closed `connection`; does not block, consumes no data."""
    patience = connection.gettimeout()
    connection.setblocking(False)  # with a timeout set, recv would block until it expires
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(patience)
