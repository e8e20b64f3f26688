"""A clue of a case of three cards: what its files say, to whom, and what they never say."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from stix2validator import ValidationOptions, validate_string

from duanka.casework.clues.dossier.document import content_of, pdf_of
from duanka.casework.clues.dossier.model import CityFlow, DossierOutlet, DossierPlace
from duanka.casework.clues.files.manifest import faults_of
from duanka.casework.clues.files.package import cards_csv
from duanka.casework.clues.files.stix import bundle_of
from duanka.domain.case_file import CaseError, CaseOutcome, UnknownCase
from duanka.domain.clue import ClueError, ClueState
from duanka.domain.order import NeedsSecondPerson, PermissionDenied, Role
from duanka.domain.phone_masking import spelled_card
from duanka.domain.text import BilingualText
from duanka.ledger.db.casework.cases import cases
from duanka.ledger.db.database import Store
from duanka.ledger.pdf import NoChineseFont, font_folders
from support.api.asking import one_store
from support.api.desks import NOW
from support.casework.clue_scene import (
    CASE_NUMBER,
    CONFIRMED,
    NAMED,
    SUSPECTED,
    ClueScene,
    clue_scene,
    opened,
    police_certificate,
)
from support.desk import duanka
from support.people import FIRST, SECOND

CARDS = (CONFIRMED, SUSPECTED, NAMED)
MARKS = {"confirmed": "已确认涉案", "suspected": "高风险", "named": "没有规则命中"}


store = pytest.fixture(one_store)  # what databases say of a clue: test_clues_answered.py


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> ClueScene:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return clue_scene(store, inbox)


@pytest.mark.requirement("R8")
def test_the_police_get_full_numbers_encrypted_and_we_keep_masked_ones(
    scene: ClueScene, tmp_path: Path
) -> None:
    clue = scene.build()
    assert (clue.state, clue.cards, clue.confirmed) == (ClueState.DRAFT, 3, 1)
    package = scene.package(clue)
    assert package is not None
    assert not any(number.encode() in package for number in CARDS)
    full, ours = opened(package, tmp_path), scene.ours(clue)
    names = {"dossier.pdf", "bundle.json", "cards.csv", "manifest.json", "manifest.json.sig"}
    assert full.keys() == ours.keys() == names
    for name in ("bundle.json", "cards.csv"):
        assert all(number.encode() in full[name] for number in CARDS), name
        assert not any(number[2:].encode() in ours[name] for number in CARDS), name
    key = scene.desk.casework.clues.files.public_key
    assert scene.desk.casework.clues.files.verify(clue.id, FIRST) == []
    assert key.startswith(b"-----BEGIN PUBLIC KEY")


def _csv(content: bytes) -> dict[str, dict[str, str]]:
    return {row["card"].lstrip("'+"): row for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig")))}


@pytest.mark.requirement("R8")
def test_suspicion_and_what_the_police_confirmed_stand_apart(scene: ClueScene, tmp_path: Path) -> None:
    package = scene.package(scene.build())
    assert package is not None
    rows = _csv(opened(package, tmp_path)["cards.csv"])
    standing = {number: row["standing"] for number, row in rows.items()}
    assert standing == {CONFIRMED: "confirmed", SUSPECTED: "suspected", NAMED: "named"}
    assert (rows[CONFIRMED]["case_numbers"], rows[SUSPECTED]["case_numbers"]) == (CASE_NUMBER, "")
    assert rows[SUSPECTED]["rules"] == "fan_out"


def _objects(bundle: bytes, kind: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(bundle)["objects"] if one["type"] == kind]


@pytest.mark.requirement("R8")
def test_the_bundle_is_valid_stix_and_marks_the_confirmed_otherwise(scene: ClueScene, tmp_path: Path) -> None:
    clue = scene.build()
    package = scene.package(clue)
    assert package is not None
    for bundle in (opened(package, tmp_path)["bundle.json"], scene.ours(clue)["bundle.json"]):
        # the validator does not know that observables of an extension have ids of UUIDv5 (STIX 2.1, 2.9)
        result = validate_string(bundle.decode(), ValidationOptions(strict=True, disabled="103"))
        assert result.is_valid, [str(one) for one in result.errors]
        marks = {one["id"]: one["definition"]["statement"] for one in _objects(bundle, "marking-definition")}
        cards = _objects(bundle, "phone-card")
        assert len(cards) == len({one["id"] for one in cards}) == 3
        for one in cards:
            (mark,) = one["object_marking_refs"]
            assert MARKS[one["standing"]] in marks[mark]
        assert {one["standing"] for one in cards} == {"confirmed", "suspected", "named"}
        indicators = _objects(bundle, "indicator")
        sources = {one["source_name"] for all_ in indicators for one in all_["external_references"]}
        assert sources == {"duanka case", "duanka order", "police case"}
        assert [one["city"] for one in _objects(bundle, "location")] == ["130200"]
        assert sorted(one["indicator_types"][0] for one in indicators) == [
            "anomalous-activity",
            "attribution",
        ]


def test_who_has_a_masked_bundle_finds_no_number_by_trying_all(scene: ClueScene, tmp_path: Path) -> None:
    clue = scene.build()
    package = scene.package(clue)
    assert package is not None
    full = {one["id"] for one in _objects(opened(package, tmp_path)["bundle.json"], "phone-card")}
    ours = {one["id"] for one in _objects(scene.ours(clue)["bundle.json"], "phone-card")}
    assert not full & ours


@pytest.fixture
def dossier(scene: ClueScene, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The dossier that a clue was built of."""
    held: list[Any] = []

    def keep(shown: Any, others: Any) -> bytes:
        held.append(shown)
        return pdf_of(shown, others)

    monkeypatch.setattr("duanka.casework.clues.service.pdf_of", keep)
    scene.build()
    return held[0]


def test_the_same_dossier_gives_the_same_bytes(dossier: Any) -> None:
    others = [("bundle.json", "0" * 64)]
    assert pdf_of(dossier, others) == pdf_of(dossier, others)
    assert bundle_of(dossier) == bundle_of(dossier)
    later = replace(dossier, built_at=dossier.built_at + timedelta(minutes=1))
    assert pdf_of(dossier, others) != pdf_of(later, others)


@pytest.mark.requirement("R8")
def test_the_dossier_has_all_that_the_police_need(dossier: Any) -> None:
    told = content_of(dossier, [])
    text = json.dumps(told, ensure_ascii=False)
    assert told["ring"]["joined"] == 3
    assert "<svg" in told["flows"]
    assert "公安机关书面调取" not in text  # of the template: it stands in every dossier
    (confirmed,), suspected = told["confirmed"], told["suspected"]
    assert CASE_NUMBER in confirmed[1]
    assert "公安机关停机通知" in confirmed[2]
    assert [row[0] for row in told["named"]] == [spelled_card(NAMED).replace(" ", "\N{NO-BREAK SPACE}")]
    assert all(NAMED[5:] not in one["number"] for one in suspected)
    (seen,) = [one for one in suspected if "规则“广撒网外呼”" in one["facts"]]
    assert re.search("工单：V[0-9A-Z]{12}", seen["source"])
    assert "与团伙的 3 张卡" not in seen["facts"]  # another card's
    assert [one["id"] for one in told["rules"]] == ["fan_out"]
    assert "快递员" in told["rules"][0]["look_alikes"]["zh"]
    assert {"立案", f"公安机关确认涉案，案件编号 {CASE_NUMBER}"} <= {row[1] for row in told["timeline"]}
    assert {row[0] for row in told["holders"]} == {f"{0:032x}", f"{1:032x}"}
    assert ["首次命中规则：广撒网外呼（1 张）", "规则命中"] in [[row[1], row[3]] for row in told["timeline"]]
    masked = json.dumps(content_of(dossier.masked(), []), ensure_ascii=False)
    assert not any(
        number[2:] in masked or f"{number[2:5]} {number[5:]}" in masked.replace("\N{NO-BREAK SPACE}", " ")
        for number in CARDS
    )


HOSTILE = '#panic("x") <script>\ud800\x00]] $a$ @b'


def test_names_from_records_are_text_and_nothing_else(dossier: Any) -> None:
    cards = tuple(
        replace(one, outlet=HOSTILE, operator=HOSTILE, source=HOSTILE, home_city=city, main_city=city)
        for one, city in zip(dossier.cards, ("130100", "440300", HOSTILE), strict=True)
    )
    flows = tuple(CityFlow(one.home_city, one.main_city, 1) for one in cards)
    odd = replace(dossier, cards=cards, flows=flows, case=replace(dossier.case, title=HOSTILE))
    told = content_of(odd, [])
    assert "河北" in told["provinces"]
    assert "<script>" not in told["flows"]
    assert pdf_of(odd, []).startswith(b"%PDF")
    assert json.loads(bundle_of(odd))["type"] == "bundle"


def test_there_is_no_clue_without_an_open_case(scene: ClueScene) -> None:
    files, by = scene.desk.casework.clues.files, scene.who(Role.DESK)
    with pytest.raises(UnknownCase, match="no case"):
        files.build("C000000000000", by, "why", NOW)
    scene.desk.casework.files.close(scene.case, CaseOutcome.UNFOUNDED, by, "nothing", NOW)
    with pytest.raises(CaseError, match="closed"):
        files.build(scene.case, by, "why", NOW)
    assert files.page(by).total == 0


def test_there_is_no_clue_without_an_approved_recipient(scene: ClueScene) -> None:
    recipients = scene.desk.casework.clues.recipients
    recipients.remove("石门市公安局", FIRST, "another certificate", NOW)
    with pytest.raises(ClueError, match="no recipient"):
        scene.build()
    made = recipients.propose("另一局", police_certificate(), "folder:/srv/clues", FIRST, NOW)
    with pytest.raises(ClueError, match="no recipient"):
        scene.build()
    with pytest.raises(NeedsSecondPerson, match="somebody else"):
        recipients.approve(made.id, FIRST, "mine", NOW)
    recipients.approve(made.id, SECOND, "compared", NOW)
    assert scene.build().recipient == made.id


@pytest.mark.parametrize(
    ("certificate", "address", "why"),
    [
        (b"no certificate", "folder:/srv/clues", "no X.509 certificate"),
        (police_certificate(datetime(2026, 2, 1, tzinfo=UTC)), "folder:/srv/clues", "valid until 2026-02-01"),
        (police_certificate(), "ftp://host/path", "is no address"),
        (police_certificate(), "http://police.example/clues", "is no address"),
        (police_certificate(), "sftp://duanka:secret@police.example/inbox", "no password"),
        (police_certificate(), "folder:/srv/../etc", "no password, no blanks"),
        (police_certificate(), "sftp://-oProxyCommand=x@police.example/inbox", "is no address"),
    ],
)
def test_a_recipient_needs_a_certificate_and_an_address(
    scene: ClueScene, certificate: bytes, address: str, why: str
) -> None:
    with pytest.raises(ClueError, match=why):
        scene.desk.casework.clues.recipients.propose("新机关", certificate, address, FIRST, NOW)


def test_the_manifest_is_signed_by_the_key_of_the_installation(scene: ClueScene, tmp_path: Path) -> None:
    ours = scene.ours(scene.build())
    key = bytes.fromhex(json.loads(ours["manifest.json"])["publicKey"])
    assert faults_of(ours, key) == []


def test_the_regulator_may_build_none_and_everybody_may_not_read_one(scene: ClueScene) -> None:
    clue, files = scene.build(), scene.desk.casework.clues.files
    with pytest.raises(PermissionDenied):
        files.build(scene.case, scene.who(Role.REGULATOR), "why", NOW)
    with pytest.raises(PermissionDenied):
        files.show(clue.id, scene.who(Role.REGULATOR), "why", NOW)
    assert files.page(scene.who(Role.REGULATOR)).total == 1


def test_without_chinese_fonts_an_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pylopdf_fonts_zh_cn", None)
    with pytest.raises(NoChineseFont, match="apt install fonts-noto-cjk"):
        font_folders((tmp_path, tmp_path / "away"))
    (tmp_path / "noto").mkdir()
    (tmp_path / "noto" / "NotoSansCJK-Regular.ttc").write_bytes(b"")
    assert font_folders((tmp_path,)) == [tmp_path / "noto"]


def test_the_doctor_says_whether_dossiers_can_be_set(tmp_path: Path) -> None:
    assert "Chinese fonts in" in duanka("doctor", cwd=tmp_path).out


def test_names_that_hold_a_number_are_masked_in_ours(dossier: Any) -> None:
    shop = f"shop of {SUSPECTED}"
    cards = tuple(
        replace(one, outlet=shop, operator=shop, home_city=shop, main_city=shop) for one in dossier.cards
    )
    place = DossierPlace(shop, SUSPECTED, (SUSPECTED,), 1, dossier.built_at, dossier.built_at)
    facts = replace(dossier.case, title=shop, other_items=(("outlet", shop), ("place", f"130100/{shop}")))
    odd = replace(
        dossier,
        cards=cards,
        case=facts,
        places=(place, replace(place, city="130100", cell="99040400005")),
        flows=(CityFlow(shop, shop, 3),),
        outlets=(DossierOutlet(shop, 3, BilingualText("", "")),),
    )
    masked = json.dumps(content_of(odd.masked(), []), ensure_ascii=False).replace("\N{NO-BREAK SPACE}", " ")
    for text in (masked, bundle_of(odd, b"key").decode(), cards_csv(odd.masked()).decode()):
        assert SUSPECTED[2:] not in text
    assert "99040400005" in masked


def test_a_title_that_holds_a_number_is_masked_in_lists(scene: ClueScene) -> None:
    with scene.desk.store.writing() as connection:
        connection.execute(update(cases).values(title=f"about {SUSPECTED}"))
    clue = scene.build()
    listed = scene.desk.casework.clues.files.page(FIRST).clues
    assert all(SUSPECTED[2:] not in one.title for one in (clue, *listed))
