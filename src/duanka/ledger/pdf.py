"""Set a PDF with typst: all text comes as data, and none of it is read as markup.

Its Chinese fonts are those of the wheel that `make setup` installs, else the system's Noto CJK.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from duanka.domain.errors import DuankaError

SYSTEM_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
_NAMES = ("NotoSansCJK*.ttc", "NotoSansCJK*.otf", "NotoSansSC*.otf", "NotoSansSC*.ttf")


class NoChineseFont(DuankaError):
    """No font with Chinese letters: a dossier would show boxes."""


def set_pdf(template: bytes, content: Mapping[str, object]) -> bytes:
    """Set `content`, which the template reads as JSON; the same content gives the same bytes.

    DuankaError: typst is missing. NoChineseFont.
    """
    try:
        typst = import_module("typst")
    except ImportError as error:
        raise DuankaError("a PDF needs the Python package typst: `make setup` installs it") from error
    told = json.dumps(content, ensure_ascii=False)
    made: bytes = typst.compile(
        template,
        format="pdf",
        sys_inputs={"content": told.encode(errors="replace").decode()},  # texts may hold lone surrogates
        font_paths=[str(folder) for folder in font_folders()],
        ignore_system_fonts=True,  # the same on every machine
    )
    return made


def font_folders(system: tuple[Path, ...] = SYSTEM_FOLDERS) -> list[Path]:
    """Folders that typst reads fonts from. NoChineseFont."""
    found = [*_of_the_wheel(), *_of_the_system(system)]
    if not found:
        raise NoChineseFont(
            "no Chinese font is installed, and a dossier without one would show boxes: `apt install fonts-noto-cjk`"
        )
    return found[:1]  # one alone, so that the same dossier gives the same bytes


def _of_the_wheel() -> list[Path]:
    try:
        fonts = import_module("pylopdf_fonts_zh_cn")
    except ImportError:
        return []
    return [Path(fonts.sans_path()).parent]


def _of_the_system(system: tuple[Path, ...]) -> list[Path]:
    for folder in system:
        for name in _NAMES:
            found = sorted(folder.rglob(name)) if folder.is_dir() else []
            if found:
                return [found[0].parent]
    return []
