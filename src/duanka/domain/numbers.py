"""What a number looks like, for whoever checks or completes one."""

from __future__ import annotations

import re

CARD = re.compile(r"[0-9]{1,15}")  # E.164 without +, as cards are named
MOBILE = re.compile(r"1[3-9][0-9]{9}")  # a mobile number of China without its country code
