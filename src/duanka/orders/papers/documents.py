"""Set papers for holders as PDF with typst; all text comes as data, and none of it is read as markup."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from duanka.domain.errors import DuankaError

FontFolders = Callable[[], Sequence[Path]]  # raises a DuankaError where no Chinese font is installed


def pdf_of(template: str, content: Mapping[str, object], fonts: FontFolders) -> bytes:
    """Set `content` by a template of this package; the same content gives the same bytes.

    DuankaError: typst or the fonts are missing.
    """
    try:
        typst = import_module("typst")
    except ImportError as error:
        raise DuankaError("a PDF needs the Python package typst: `make setup` installs it") from error
    package = files("duanka.orders.papers")
    source = package.joinpath("paper.typ").read_bytes() + package.joinpath(f"{template}.typ").read_bytes()
    told = json.dumps(content, ensure_ascii=False)
    made: bytes = typst.compile(
        source,
        format="pdf",
        sys_inputs={"content": told.encode(errors="replace").decode()},  # texts may hold lone surrogates
        font_paths=[str(folder) for folder in fonts()],
        ignore_system_fonts=True,  # the same on every machine
    )
    return made
