"""docs/SETTINGS.md names every setting. Run as a program, this writes its generated part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from duanka.bootstrap.settings import Settings, in_force, setting_names
from support.desk import duanka

PAGE = Path(__file__).parents[1] / "docs" / "SETTINGS.md"
HOW_TO_WRITE = "docs/SETTINGS.md lags behind the code; write it anew with: make pages"


def _rows() -> Iterator[str]:
    yield "| setting | meaning | default |"
    yield "|---|---|---|"
    for (name, meaning), field in zip(setting_names().items(), Settings.model_fields.values(), strict=True):
        default = "" if field.default is None else f"`{field.default}`"
        yield f"| `{name}` | {meaning} | {default} |"


def _written(page: str) -> str:
    mark = r"(<!-- from src/duanka/bootstrap/settings.py; [^\n]*-->\n).*?(?=<!-- end -->)"
    rows = "\n".join(_rows())
    page, found = re.subn(mark, lambda m: f"{m[1]}\n{rows}\n\n", page, flags=re.DOTALL)
    assert found == 1, f"{PAGE}: no place for the settings"
    return page


def test_the_page_has_every_setting() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == _written(page), HOW_TO_WRITE


def test_every_setting_says_what_it_means() -> None:
    assert all(len(meaning) > 20 for meaning in setting_names().values())


def test_what_is_printed_of_a_secret_is_only_that_it_is_set() -> None:
    secrets = {n for n, f in Settings.model_fields.items() if "SecretStr" in str(f.annotation)}
    assert {"secret", "api_key", "holder_key", "database_url", "message_centre"} <= secrets
    shown = in_force(Settings(**{name: SecretStr("0123456789abcdef" * 3) for name in secrets}))  # type: ignore[arg-type]
    assert "0123456789abcdef" not in str(shown)
    assert {name for name, value in shown.items() if value == "(set, not shown)"} == {
        f"DUANKA_{name.upper()}" for name in secrets
    }


def test_the_command_prints_what_is_in_force(tmp_path: Path) -> None:
    typed = duanka("config", cwd=tmp_path, DUANKA_ORDERS="/srv/duanka", DUANKA_API_KEY="dk_of-a-test")
    assert typed.code == 0, typed.err
    head, *lines = typed.out.splitlines()
    assert head.startswith("Home folder: none")
    printed = dict(line.split(maxsplit=1) for line in lines)
    assert set(printed) == set(setting_names())
    assert printed["DUANKA_ORDERS"] == "/srv/duanka  [environment]"
    assert printed["DUANKA_API_KEY"] == "(set, not shown)  [environment]"
    assert printed["DUANKA_PORT"] == "8080  [default]"
    assert "dk_of-a-test" not in typed.out
    assert list(tmp_path.iterdir()) == []


if __name__ == "__main__":
    PAGE.write_text(_written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
