"""Rings of a store that belongs to an order database, by command and by HTTP: who may, on what basis, masked."""

from __future__ import annotations

import csv
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from duanka.api import create_api
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.links import building, served
from duanka.bootstrap.links.answers import GraphAnswers
from duanka.bootstrap.links.ownership import belongs_to_orders
from duanka.bootstrap.links.served import ServedGraph
from duanka.bootstrap.links.statements import StatedCards, Statements
from duanka.bootstrap.order_resources import MARK, AttachedStore
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.counter_check import Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.errors import DuankaError
from duanka.domain.order import SYSTEM, Event
from duanka.domain.person import Person, Role
from duanka.domain.phone_masking import masked_device
from duanka.domain.ports import Silent
from duanka.domain.record_lookups import LookupRefused
from duanka.domain.ring_lookups import NotLinked, RingFile, SeedName, TooManyRings
from duanka.links.answers import FoundRing
from duanka.links.graph.stored import MANIFEST
from support.api.desks import PLENTY, Caller, callers
from support.links.ring_office import RingOffice, build, ring_office, sealed
from support.links.ring_world import BOX, CONFIRMED, OUTLET, RING, SITE, STOCK
from support.people import people_of
from support.waiting import HANG, until

BASIS = ("--why", "the police seized it", "--case", "7")
SEIZED = ("around", "links", "--imei", BOX)
IN_FULL = (BOX, *RING, *STOCK)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> RingOffice:
    return ring_office(tmp_path_factory.mktemp("ring"))


def unsealed(links: Path) -> None:
    sealed(links).unlink()
    assert not belongs_to_orders(links)


def told_in_full(text: str) -> list[str]:
    return [number for number in IN_FULL if number in text]


def test_the_ring_behind_a_device_is_masked_and_stands_in_the_trail(
    office: RingOffice, tmp_path: Path
) -> None:
    before = len(office.trail())
    shown = office.type(*SEIZED, *BASIS, "--out", tmp_path / "ring")
    assert shown.code == 0, shown.err
    assert "From 86012304****001: 24 cards in the ring" in shown.out
    *said, stops = shown.out.split("which two people decide: ")
    assert stops.split("\n")[0] == (
        f"duanka links stop links --imei {BOX} --reason '原因' --reason-en reason --case 7"
    ), "to be copied: the seed as it was typed"
    assert SITE in shown.out
    assert not told_in_full("".join(said)), "and no other number"
    files = {file.name: file.read_text(encoding="utf-8-sig") for file in (tmp_path / "ring").iterdir()}
    assert not told_in_full("".join(files.values())), "nor in the files"
    rows = list(csv.DictReader(files["ring.csv"].splitlines()))
    assert len(rows) == len(RING) + len(STOCK)
    assert {row["card"].lstrip("'") for row in rows if row["role"] == "box_card"} == {
        f"+86 137****{card[-4:]}" for card in RING
    }
    assert office.trail()[before:] == [
        ("lookup.ring", "the.desk", BOX, "7 · the police seized it"),
        ("lookup.rows", "the.desk", BOX, "7"),
    ]
    first, rows_told = (json.loads(told) for told in office.told()[before:])
    assert first == {"basis": "case", "seed": "device", "unmasked": False}
    assert rows_told == {"rows": 24}


def test_in_full_where_it_is_asked_for_which_the_trail_says(office: RingOffice, tmp_path: Path) -> None:
    shown = office.type("around", "links", "--card", RING[3], *BASIS, "--full", "--out", tmp_path / "ring")
    assert shown.code == 0, shown.err
    assert BOX in shown.out
    assert set(told_in_full((tmp_path / "ring" / "ring.csv").read_text(encoding="utf-8"))) == {*IN_FULL}
    assert json.loads(office.told()[-2])["unmasked"] is True


@pytest.mark.parametrize(
    ("words", "who", "said"),
    [
        (("--why", "w"), "desk", "give one of --case, --order and --police-notice"),
        ((*BASIS, "--order", "V000000000000"), "desk", "give one of --case, --order and --police-notice"),
        (("--why", "w", "--order", "V000000000000"), "desk", "no order 'V000"),
        (("--case", "7"), "desk", "say why, in 1 to"),
        (BASIS, None, "who acts?"),
        (BASIS, "regulator", "regulator may not look up the contacts of numbers"),
        (BASIS, "local", "only who works for all of them may look one up"),
    ],
)
def test_nothing_is_grown_without_key_reason_basis_and_scope(
    office: RingOffice, words: tuple[str, ...], who: str | None, said: str
) -> None:
    before = office.trail()
    shown = office.type("around", "store", "--imei", BOX, *words, who=who)
    assert (shown.code, shown.out) == (2, ""), shown
    assert said in shown.err
    assert shown.err.count("\n") == 1, "and no step of a graph being built"
    assert office.trail() == before


def test_an_order_is_about_the_card_that_is_looked_up(office: RingOffice) -> None:
    shown = office.type(*SEIZED, "--card", RING[0], *BASIS)
    assert (shown.code, "a search begins at one thing" in shown.err) == (2, True)


def test_what_is_not_in_the_graph_is_in_the_trail_all_the_same(office: RingOffice) -> None:
    shown = office.type("around", "links", "--imei", "8" * 15, *BASIS)
    assert (shown.code, "88888888888888 is no device number: switches write it" in shown.err) == (2, True)
    shown = office.type("around", "links", "--imei", f"{BOX}1", *BASIS)
    assert f"the last digit of IMEI {BOX}1 would be 9" in shown.err
    shown = office.type("around", "links", "--card", "13712345678", *BASIS)
    assert shown.code == 2
    assert "in none of these records" in shown.err
    assert office.trail()[-1][:3] == ("lookup.ring", "the.desk", "8613712345678")


def test_another_order_database_is_refused(office: RingOffice, tmp_path: Path) -> None:
    keys = people_of(Settings(orders=tmp_path / "orders"), {"the.other": Role.DESK})
    other = RingOffice(office.folder, {"desk": keys["the.other"]})
    for command in ((*SEIZED, *BASIS), ("rings", "links"), ("outlets", "store")):
        shown = other.type(*command, orders=tmp_path / "orders")
        assert (shown.code, shown.out) == (2, "")
        assert "belongs to another order database" in shown.err


@pytest.mark.parametrize("earlier", [False, True])
def test_a_build_that_dies_after_the_swap_leaves_no_graph_without_its_owner(
    office: RingOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool
) -> None:
    links = tmp_path / "links"
    if earlier:  # of the same store before it was attached
        shutil.copytree(office.folder / "links", links)
        unsealed(links)
    real = Path.replace

    def swap_and_die(self: Path, target: Path) -> None:
        real(self, target)
        if target.name == MANIFEST:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", swap_and_die)
        with pytest.raises(KeyboardInterrupt):
            build(office.settings, office.folder / "store", links)
    assert building.load_built(links).rings.height, "the new graph is there"
    assert "who acts?" in office.type("rings", links, who=None).err


def test_rings_and_outlets_are_listed_for_people_with_a_key_and_all_cities(office: RingOffice) -> None:
    shown = office.type("rings", "links", who="regulator")
    assert shown.code == 0, shown.err
    assert shown.out.splitlines()[1].split()[:3] == ["R00001", "24", "1"]
    assert not told_in_full(shown.out)
    assert "Next:" not in shown.out, "a regulator may not look a ring up"
    assert "Next: duanka links around links" in office.type("rings", "links").out
    shown = office.type("outlets", "links", who="regulator")
    assert (shown.code, "of the 40 outlets" in shown.out) == (0, True), shown
    shown = office.type("devices", "links", who="regulator")
    assert (shown.code, "SIM box 1" in shown.out, masked_device(BOX) in shown.out) == (0, True, True), shown
    assert "Next:" not in shown.out
    assert not told_in_full(shown.out)
    for command in ("rings", "outlets", "devices"):
        assert "who acts?" in office.type(command, "links", who=None).err
        assert "takes all operators and cities" in office.type(command, "links", who="local").err
    ring = office.type("around", "links", "--ring", "R00001", *BASIS)
    assert "From R00001: 24 cards" in ring.out


STOP = ("stop", "links", "--ring", "R00001", "--reason", "团伙停机", "--reason-en", "a ring", "--case", "7")


def test_one_command_proposes_to_stop_a_ring_and_stops_nothing(office: RingOffice) -> None:
    before = len(office.trail())
    shown = office.type(*STOP)
    assert shown.code == 0, shown.err
    first, second, *_ = shown.out.splitlines()
    assert first == "24 cards of the ring are proposed; 0 left out: certainty of 0.5 or less (--certainty)"
    assert second == "Of the ring, at risk by the rules: 1; confirmed by the police: 1"
    assert not told_in_full(shown.out + shown.err)
    act = re.findall(r"`duanka orders approve (A[0-9A-Z]{12}) --why", shown.out)
    assert len(act) == 1, shown.out
    assert office.trail()[before:] == [
        ("lookup.ring", "the.desk", "R00001", "7 · 团伙停机"),
        ("lookup.rows", "the.desk", "R00001", "7"),
    ]
    assert json.loads(office.told()[before])["unmasked"] is False
    with app_orders.desk(office.settings, policy_named("national")) as here:
        proposed = here.bulk_actions.get(act[0])
        assert (proposed.state, proposed.total, proposed.event) == ("proposed", 24, Event.SUSPEND)
        zh, en = proposed.grounds.reason
        assert zh.startswith("团伙停机〔团伙 R00001："), zh
        assert zh.endswith("；团伙中按规则有风险 1，涉案 1；案件 7〕"), zh
        assert en.startswith("a ring [ring R00001: box card "), en
    shown = office.type(*STOP)
    again = f"24 of them are already in {act[0]}, and none is left: nothing is proposed"
    assert (shown.code, shown.out, again in shown.err) == (2, "", True), shown
    with app_orders.desk(office.settings, policy_named("national")) as here:
        here.bulk_actions.reject(act[0], Person("the.desk", Role.DESK), "seen", here.now())


@pytest.mark.parametrize(
    ("words", "who", "said"),
    [
        (("--certainty", "1"), "desk", "--certainty"),
        (("--certainty", "0.4"), "desk", "--certainty"),
        (("--how", "punish"), "desk", "a punishment needs the day"),
        (("--order", "V000000000000"), "desk", "give one of --case, --order and --police-notice"),
        (("--card", RING[0]), "desk", "a search begins at one thing"),
        ((), None, "who acts?"),
        ((), "regulator", "regulator may not propose a stop"),
        ((), "local", "only who works for all of them may look one up"),
    ],
)
def test_no_stop_is_proposed_without_right_reason_and_likely_cards(
    office: RingOffice, words: tuple[str, ...], who: str | None, said: str
) -> None:
    with app_orders.desk(office.settings, policy_named("national")) as here:
        before = len(here.reading.bulk_actions(SYSTEM).items)
    shown = office.type(*STOP, *words, who=who)
    assert (shown.code, shown.out, said in shown.err) == (2, "", True), shown
    with app_orders.desk(office.settings, policy_named("national")) as here:
        assert len(here.reading.bulk_actions(SYSTEM).items) == before


def test_what_the_order_database_knows_of_cards_is_taken_from_there_and_from_files(
    office: RingOffice, tmp_path: Path
) -> None:
    seen = DisavowalSeen(
        Document.ID_CARD, "长安街营业厅", person_present=True, in_register=True, statement_signed=True
    )
    with app_orders.desk(office.settings, policy_named("national")) as here:
        one, other = (Person(who, Role.DESK) for who in ("one", "other"))
        order = here.disavowals.record(RING[4], seen, one, "theirs it is not", here.now())
        here.counter.confirm(order.id, other, "seen too", here.now())
    (tmp_path / "upheld").write_text(f"{RING[5]}\n")
    words = ("build", office.folder / "store", "--out", tmp_path / "links", "--upheld", tmp_path / "upheld")
    shown = office.type(*words, who=None)
    said = (
        "Disowned cards: 1 of the order database, 0 of a file; objections upheld: 0 of the order database, 1"
    )
    assert (shown.code, said in " ".join(shown.out.split())) == (0, True), shown
    cards = building.load_built(tmp_path / "links").graph.cards
    assert cards.filter("disowned")["name"].to_list() == [RING[4]]
    assert cards.filter("upheld")["name"].to_list() == [RING[5]]
    shown = office.type(*words, who=None, orders=tmp_path / "nowhere")
    assert (shown.code, "knows of disowned and upheld cards was not read" in " ".join(shown.out.split())) == (
        0,
        True,
    ), shown
    assert building.load_built(tmp_path / "links").graph.cards.filter("disowned").is_empty()


def test_a_community_that_nobody_named_is_as_sure_as_its_links_make_it(
    office: RingOffice, tmp_path: Path
) -> None:
    stated = Statements(StatedCards(upheld=[RING[5]]))
    policy, links = policy_named("national"), tmp_path / "links"
    building.build(office.settings, office.folder / "store", links, policy, None, Silent(), stated=stated)
    built = building.load_built(links)
    assert RING[5] in built.graph.cards.join(built.rings, on="card")["name"], "a community is what is linked"
    found = GraphAnswers(office.settings, lambda: built).around(SeedName("ring", "R00001")).ring
    sure = dict(found.cards.select("card", "certainty").iter_rows())
    assert RING[5] not in sure, "an objection about it was upheld"
    with pytest.raises(NotLinked, match=f"objection about card {RING[5]} was upheld: it is in no ring"):
        GraphAnswers(office.settings, lambda: built).around(SeedName("card", RING[5]))
    small = GraphAnswers(office.settings, lambda: built).around(SeedName("outlet", OUTLET.lower()))
    assert small.joined, "in whatever case"
    assert sure.pop(CONFIRMED) == 1, "the police confirmed it"
    assert all(0.5 < certainty < 1 for certainty in sure.values()), sure
    reasons = dict(found.cards.select("card", "reason_en").iter_rows())
    assert reasons[RING[3]].startswith(f"took turns in device {BOX} with 10 cards of the ring")
    assert not [card for card, why in reasons.items() if "the search began here" in why]


def test_of_a_graph_of_ones_own_a_stop_is_proposed_with_a_key_and_without_a_case(
    office: RingOffice, tmp_path: Path
) -> None:
    links = tmp_path / "links"
    shutil.copytree(office.folder / "links", links)
    unsealed(links)
    before = office.trail()
    own = ("stop", links, *STOP[2:-2])
    shown = office.type(*own, "--certainty", "0.9")
    assert (shown.code, "orders approve A" in shown.out) == (0, True), shown
    assert office.trail() == before
    assert "who acts?" in office.type(*own, who=None).err
    assert "store is no graph" in office.type("stop", "store", *STOP[2:]).err


def test_files_that_are_attached_to_nothing_are_their_owners(office: RingOffice, tmp_path: Path) -> None:
    shutil.copytree(office.folder / "store", tmp_path / "store")
    (tmp_path / "store" / MARK).unlink()
    build(office.settings, tmp_path / "store", tmp_path / "links")
    before = office.trail()
    shown = office.type("around", tmp_path / "links", "--outlet", OUTLET, who=None)
    assert (shown.code, BOX in shown.out) == (0, True), shown.err
    assert office.type("rings", tmp_path / "links", who=None).code == 0
    assert office.trail() == before


@contextmanager
def serving(office: RingOffice, settings: Settings) -> Iterator[Caller]:
    """The desk's caller of an API as `duanka serve` makes it."""
    with (
        app_orders.desk(settings, policy_named("national")) as here,
        callers(create_api(here, limits=PLENTY)) as calling,
    ):
        yield calling(office.keys["desk"])


def asked(caller: Caller, **more: object) -> tuple[int, str]:
    answer = caller.post("/rings/retrieve", {"why": "seized", "caseNumber": "7", "imei": BOX, **more})
    return answer.status_code, answer.text


def test_by_http_it_is_the_same_ring_and_a_night_replaces_the_graph(
    office: RingOffice, tmp_path: Path
) -> None:
    links = tmp_path / "links"
    shutil.copytree(office.folder / "links", links)
    with serving(office, office.settings.model_copy(update={"links": links})) as desk:
        status, text = asked(desk, limit=20)
        first = json.loads(text)
        assert (status, first["total"], first["joined"], len(first["items"])) == (200, 24, 24, 20), text
        assert not told_in_full(text)
        assert office.trail()[-1] == ("lookup.rows", "the.desk", BOX, "7")
        assert desk.get("/rings").json()["items"][0]["confirmed"] == 1
        build(office.settings, office.folder / "store", links)
        assert not (links / "1").exists(), "the graph that was read is gone"
        status, text = asked(desk, limit=20, after=first["next"])
        assert (status, "built anew" in text) == (409, True)
        status, text = asked(desk, limit=4, unmask=True)
        assert (status, json.loads(text)["total"], BOX in text) == (200, 24, True)


def test_by_http_the_files_are_those_of_the_command(office: RingOffice, tmp_path: Path) -> None:
    assert office.type(*SEIZED, *BASIS, "--out", tmp_path / "ring").code == 0
    with serving(office, office.settings) as desk:
        basis = {"why": "seized", "caseNumber": "7", "imei": BOX}
        for file in sorted((tmp_path / "ring").iterdir()):
            answer = desk.post(
                "/rings/retrieve-file", {**basis, "file": file.name}, **{"Accept-Language": "en"}
            )
            assert (answer.status_code, answer.content) == (200, file.read_bytes()), file.name
    assert len(RingFile) == len(list((tmp_path / "ring").iterdir()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("unnamed", "no graph is named"),
        ("missing", "holds no graph"),
        ("unattached", "attached to no order database"),
        ("another", "belongs to another order database"),
        ("damaged", "is damaged: build it anew"),
    ],
)
def test_by_http_any_other_graph_is_refused_with_the_next_step(
    office: RingOffice, tmp_path: Path, change: str, said: str
) -> None:
    links = tmp_path / "links"
    shutil.copytree(office.folder / "links", links)
    if change == "missing":
        (links / MANIFEST).unlink()
    elif change == "unattached":
        unsealed(links)
    elif change == "another":
        sealed(links).write_text('{"by": "x", "at": "y", "seal": "0"}')
    elif change == "damaged":
        next(links.glob("*/cards.parquet")).unlink()
    named = None if change == "unnamed" else links
    before = office.trail()
    with serving(office, office.settings.model_copy(update={"links": named})) as desk:
        status, text = asked(desk)
        assert (status, said in text) == (409, True), text
        for path in ("/rings", "/outlets"):
            answer = desk.get(path)
            assert (answer.status_code, said in answer.text) == (409, True), answer.text
    looked_up = [what for what, *_ in office.trail()[len(before) :]]
    assert looked_up == (["lookup.ring"] if change == "damaged" else [])


class Slow:
    """Answers that wait until they may; `begun`: one for each that is being given."""

    def __init__(self, found: FoundRing) -> None:
        self.found = found
        self.begun, self.may = threading.Semaphore(0), threading.Event()

    def around(self, named: SeedName) -> FoundRing:
        assert named.text == BOX
        self.begun.release()
        assert self.may.wait(HANG)
        return self.found


@pytest.fixture
def graph(office: RingOffice) -> Iterator[ServedGraph]:
    with app_orders.desk(office.settings, policy_named("national")) as here:
        yield ServedGraph(office.settings, here.attached_store)


def test_only_some_rings_are_grown_at_once_and_few_wait(
    graph: ServedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = graph.around(SeedName("device", BOX))
    slow, refused = Slow(found), list[TooManyRings]()
    monkeypatch.setattr(GraphAnswers, "around", slow.around)

    def ask() -> None:
        try:
            graph.around(SeedName("device", BOX))
        except TooManyRings as error:
            refused.append(error)

    asking = [threading.Thread(target=ask) for _ in range(served.AT_ONCE + served.WAITING + 3)]
    for one in asking:
        one.start()
    try:
        for _ in range(served.AT_ONCE):
            assert slow.begun.acquire(timeout=HANG)
        until(lambda: len(refused) == 3)
        assert not slow.begun.acquire(timeout=0.1), "the others wait for their turn"
        with pytest.raises(TooManyRings):
            found.file(RingFile.PAGE, "en")  # a page keeps a core busy too
    finally:
        slow.may.set()
        for one in asking:
            one.join(HANG)
    assert len(refused) == 3
    assert found.file(RingFile.DEVICES, "en")
    ask()
    assert len(refused) == 3, "there is room again"


@pytest.mark.parametrize("lost", [False, True])
def test_a_graph_that_is_replaced_while_it_is_loaded_is_loaded_once_more(
    office: RingOffice, graph: ServedGraph, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    links, real, loaded = office.folder / "links", building.load_built, list[int]()

    def load_while_it_is_replaced(folder: Path) -> building.Built:
        loaded.append(_number(links))
        if len(loaded) > 1:
            return real(folder)
        found = real(folder)
        build(office.settings, office.folder / "store", links)
        if lost:
            raise DuankaError("the graph is damaged: its files were on their way out")
        return found

    monkeypatch.setattr(building, "load_built", load_while_it_is_replaced)
    assert graph.rings().rows == 1
    assert loaded == [loaded[0], loaded[0] + 1]
    graph.outlets()
    assert len(loaded) == 2, "not again for each question"


def _number(links: Path) -> int:
    return int(json.loads((links / MANIFEST).read_text())["number"])


def test_a_graph_without_a_setting_names_the_next_step(office: RingOffice) -> None:
    nothing = ServedGraph(Settings(), AttachedStore(None, b""))
    with pytest.raises(LookupRefused, match="DUANKA_LINKS names its folder"):
        nothing.checked()
