"""Set papers for holders as PDF, by the templates of this package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from duanka.ledger.pdf import set_pdf


def paper_pdf(template: str, content: Mapping[str, object]) -> bytes:
    """Set `content` by a template of this package; the same content gives the same bytes.

    DuankaError: typst or the fonts are missing.
    """
    package = files("duanka.orders.papers")
    source = package.joinpath("paper.typ").read_bytes() + package.joinpath(f"{template}.typ").read_bytes()
    return set_pdf(source, content)
