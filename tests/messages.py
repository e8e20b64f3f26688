"""One short message, as a client of the message path sends it."""

from __future__ import annotations

import smpplib.client
import smpplib.consts
import smpplib.exceptions


def send(address: tuple[str, int], sender: str, receiver: str, text: str) -> int:
    """Send it; the SMPP status of the answer."""
    client = smpplib.client.Client(*address, allow_unknown_opt_params=True)
    client.connect()
    try:
        client.bind_transceiver(system_id="shop", password="secret")  # noqa: S106  # loopback only
        client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_INTL,
            source_addr=sender,
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            destination_addr=receiver,
            data_coding=smpplib.consts.SMPP_ENCODING_ISO10646,
            short_message=text.encode("utf-16-be"),
        )
        return int(client.read_pdu().status)
    finally:
        client.disconnect()
