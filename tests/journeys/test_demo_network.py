"""`duanka demo --network`, typed and read as a newcomer reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.desk import duanka
from support.parts import needed
from support.switches import missing


@pytest.mark.requirement("R7")
@pytest.mark.requirement("R7.1")
@pytest.mark.requirement("R7.2")
def test_the_gang_goes_dark_and_the_honest_card_comes_back(tmp_path: Path) -> None:
    needed(missing())
    typed = duanka(
        "demo", "--network", "--out", tmp_path / "demo", cwd=tmp_path, PATH="/usr/bin:/bin:/usr/sbin"
    )
    assert typed.code == 0, typed.err
    before, dark, back = (
        part.splitlines() for part in typed.out.split("4. ")[1].replace("6. ", "5. ").split("5. ")[:3]
    )
    assert any("gang card calls a victim" in line and "200 OK" in line for line in before)
    assert any("scam text" in line and "0x66" in line for line in before)
    assert any("gang card calls a victim" in line and "608" in line and "object" in line for line in dark)
    assert any("victim calls the gang card" in line and "608" in line for line in dark)
    assert any("plain text" in line and "0x66" in line for line in dark)
    assert any("110" in line and "200 OK" in line for line in dark)
    assert any("honest card calls" in line and "200 OK" in line for line in back)
    assert any("honest card sends" in line and "accepted" in line for line in back)
    assert "verified" in typed.out.splitlines()[-2]
    assert not typed.err.strip(), "nothing that a newcomer would wonder about"


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    typed = duanka("demo", "--network", "--out", tmp_path, cwd=tmp_path)
    assert typed.code == 2
    assert "not empty" in typed.err


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    typed = duanka("demo", "--network", "--out", tmp_path / "demo", cwd=tmp_path, PATH="/nowhere")
    assert typed.code == 2
    assert "apt-get install osmo-hlr" in typed.err
