"""Binary charging records: BER, TAP 3, 3GPP TS 32.298."""
