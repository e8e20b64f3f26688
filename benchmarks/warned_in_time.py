"""Who is warned before they pay, over the delay with which the police confirm a card.

A world with victims is simulated and taken into a store once; the finder and the ranking are those of production
(`engine.store.reading.parties`, `casework.victims.ranking`, the policy `national`), and time is that of the records:

- Each card that a gang works people with is confirmed `delay` after its first call to one of them begins, and is
  stopped then: its later calls and messages do not take place. Stopping a card counts as saving nobody.
- A call is a record when it ends. At each new confirmation, and every `--look` minutes while calls of before may go on,
  production's search is asked about all cards that were confirmed in the last 72 hours (production asks as soon as a
  confirmation or new records are there, at most every 15 s).
- Registers, devices and rule hits are those of the whole window.

Strangers who answer a gang's card talk as long as was measured of fraud users: a quarter of the calls last over two
minutes. `--long-talks 0.03` leaves so many of them out that it is 3%.

Counted are persons who would pay and were in contact with a card before it was confirmed: who paid before the
confirmation (too late for any warning), and of those who would pay more than 60 s after it, who was warned before.

    python benchmarks/warned_in_time.py [--cards 12000] [--days 7] [--level 4] [--seed 7] [--look 10]
    python benchmarks/warned_in_time.py --long-talks 0.03
    python benchmarks/warned_in_time.py --missed      # also why those were missed who were
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from duanka.bootstrap.policies import policy_named
from duanka.casework.victims.ranking import danger_of, exclusion_of, ranked
from duanka.domain.policy import Policy
from duanka.domain.record_keys import short_code_sql
from duanka.domain.record_lookups import Usage
from duanka.domain.victims import Party, PartyTerms
from duanka.engine.shared.duckdb_database import parquet
from duanka.engine.store.manifest import FileKind, Manifest
from duanka.engine.store.reading.parties import PartyStore
from duanka.simulator import RingOptions, simulate

DATA = Path("bench-data")
DELAYS = {"10 min": 10, "1 h": 60, "6 h": 360, "24 h": 1_440}  # minutes
MINUTE = timedelta(minutes=1)
# A stopped card has no new contacts: for so long a call of before may last, and a bank or code come after it.
LIVELY = timedelta(hours=2, minutes=30)
LONG = 120  # seconds
KIND_KNOWN = 0.85  # of the confirmations
_TIMES = {Usage.CALLS: "started_at", Usage.MESSAGES: "sent_at"}


class StoreAsOf(PartyStore):
    """A store as it was at `now`, had each card been stopped at its confirmation.

    In memory, and only what the finder reads: records of confirmed cards, and anybody's with short codes.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, memory="6GB", threads=1)
        self.now = datetime.max
        manifest = self._manifest()
        for usage, moment in _TIMES.items():
            files = parquet(folder / path for path in manifest.paths(FileKind.RECORDS, usage))
            end = f"{moment} + to_seconds(coalesce(seconds, 0))" if usage is Usage.CALLS else moment
            self._db.execute(f"CREATE TABLE all_{usage} AS SELECT *, {end} AS ended FROM {files}")
        # what is said of cards does not change while time goes by here
        sources = {
            name: super(StoreAsOf, self)._files(manifest, FileKind.REGISTERS, name)
            for name in ("cards", "rings")
        }
        sources |= {
            "hits": super()._files(manifest, FileKind.HITS, "hits"),
            "devices": super()._devices(manifest),
        }
        for name, source in sources.items():
            self._db.execute(f"CREATE TABLE known_{name} AS FROM {source}")

    def stop(self, stops: Mapping[str, datetime], people: Iterable[str], long_talks: float | None) -> None:
        """Let the cards be stopped at these times.

        `long_talks`: keep so many of the calls with others than `people` over two minutes that they are this share.
        """
        frame = pl.DataFrame({"card": [int(card) for card in stops], "at": list(stops.values())})
        self._db.register("stops", frame.to_arrow())
        self._db.register("named", pl.DataFrame({"number": [int(one) for one in people]}).to_arrow())
        self._db.execute("CREATE OR REPLACE TABLE people AS FROM named")
        for usage, moment in _TIMES.items():
            self._db.execute(
                f"CREATE OR REPLACE TABLE kept_{usage} AS SELECT r.* FROM all_{usage} r"
                " LEFT JOIN stops a ON a.card = r.card LEFT JOIN stops b ON b.card = r.peer"
                f" WHERE {moment} < coalesce(least(a.at, b.at), TIMESTAMP 'infinity')"
                f" AND (a.card IS NOT NULL OR b.card IS NOT NULL OR {short_code_sql('peer')}) ORDER BY {moment}"
            )
        if long_talks is not None:
            self._thin(long_talks)

    def _thin(self, share: float) -> None:
        stranger = "card NOT IN (FROM people) AND peer NOT IN (FROM people) AND peer > 100000000"
        found = self._rows(
            f"SELECT count(*), count(*) FILTER (seconds > {LONG}) FROM kept_calls WHERE answered AND {stranger}"
        )
        answered, long = found[0]
        keep = share * (answered - long) / ((1 - share) * long)
        # both records of a call between two cards of the province go, or none
        lot = "hash(least(card, peer), greatest(card, peer), started_at) % 1000000"
        self._db.execute(
            f"DELETE FROM kept_calls WHERE seconds > {LONG} AND {stranger} AND {lot} >= {int(keep * 1_000_000)}"
        )

    def _files(self, manifest: Manifest, kind: FileKind, name: str) -> str:
        del manifest, kind
        return f"known_{name}"

    def _devices(self, manifest: Manifest) -> str:
        del manifest
        return "known_devices"

    def _sources(
        self, manifest: Manifest, usages: Iterable[Usage], since: datetime, until: datetime
    ) -> Iterator[tuple[Usage, str]]:
        del manifest, since, until
        for usage in usages:
            yield usage, f"(SELECT * EXCLUDE ended FROM kept_{usage} WHERE ended <= TIMESTAMP '{self.now}')"


@dataclass(frozen=True)
class Truth:
    """Who would pay, and when each of the gangs' cards spoke to whom."""

    pays: Mapping[str, datetime]  # person -> when
    worked: frozenset[str]  # persons, payers or not
    contacts: Mapping[str, Mapping[str, datetime]]  # person -> card -> first contact
    others: Mapping[str, str]  # person -> why they spoke to a card of a gang
    kinds: Mapping[str, str]  # card -> kind of fraud

    def confirmed(self, delay: timedelta) -> dict[str, datetime]:
        """Card -> when it is confirmed."""
        first: dict[str, datetime] = {}
        for cards in self.contacts.values():
            for card, at in cards.items():
                first[card] = min(at, first.get(card, at))
        return {card: at + delay for card, at in first.items()}


@dataclass
class Outcome:
    """What came of one delay."""

    warned: dict[str, dict[int, datetime]] = field(
        default_factory=dict
    )  # person -> points -> first told when
    seen: dict[str, Party] = field(default_factory=dict)  # as last looked at


def truth_of(world: Path) -> Truth:
    """Read the truth of a world."""
    victims = pl.read_parquet(world / "truth_victims.parquet")
    pairs = victims.explode("fraud_cards").select(
        "victim", card="fraud_cards", kind="fraud_kind", worked="worked_on_at"
    )
    calls = pl.scan_parquet(world / "calls" / "*.parquet").select("card", "peer", "started_at")
    met = (
        pairs.lazy()
        .join(calls, left_on=["card", "victim"], right_on=["card", "peer"])
        .group_by("victim", "card")
        .agg(pl.col("started_at").min())
        .collect()
    )
    contacts: dict[str, dict[str, datetime]] = defaultdict(dict)
    for person, card, at in met.sort("victim", "card").iter_rows():
        contacts[person][card] = at
    paying = victims.drop_nulls("would_pay_at").select("victim", "would_pay_at")
    others = pl.read_parquet(world / "truth_contacts.parquet").select("card", "why")
    return Truth(
        dict(paying.iter_rows()),
        frozenset(victims["victim"]),
        contacts,
        dict(others.iter_rows()),
        dict(pairs.select("card", "kind").iter_rows()),
    )


def look(
    store: StoreAsOf,
    now: datetime,
    standing: Mapping[str, datetime],
    truth: Truth,
    policy: Policy,
    out: Outcome,
) -> None:
    """Do what one look of production does, for the cards `standing` -> confirmed at."""
    store.now = now
    terms = policy.victims
    chance = random.Random(0)  # noqa: S311  # whether a case says the kind
    named = {card: kind for card, kind in sorted(truth.kinds.items()) if chance.random() < KIND_KNOWN}
    asked = PartyTerms(
        since=min(standing.values()) - timedelta(hours=terms.hours),
        until=now,
        after=terms.after,
        look_back_days=terms.look_back_days,
        least_seconds=terms.least_seconds,
        bank_lines=[str(row["number"]) for row in policy.lists.get("bank_hotlines", ())],
        ring_percent=terms.ring_percent,
    )
    cards = list(standing)
    for at in range(0, len(cards), 1_000):
        parties = store.parties_of(cards[at : at + 1_000], asked)
        kinds = {card: named.get(card, "") for card in cards}
        # who is in no other danger than at the last look was judged then
        parties = [party for party in parties if out.seen.get(party.number) != party]
        for danger in ranked(parties, kinds, standing, replace(terms, warn_points=1), now).victims:
            first = out.warned.setdefault(danger.party.number, {})
            for points in range(1, danger.points + 1):
                first[points] = min(now, first.get(points, now))
        out.seen |= {party.number: party for party in parties}


def play(
    store: StoreAsOf, truth: Truth, policy: Policy, delay: timedelta, asked: argparse.Namespace, end: datetime
) -> Outcome:
    """Look at confirmations as time goes by, as long as something can change for one of them."""
    confirmed = {card: at for card, at in truth.confirmed(delay).items() if at < end}
    store.stop(confirmed, {*truth.worked, *truth.others}, asked.long_talks)
    every = timedelta(minutes=asked.look)
    watch = timedelta(hours=policy.victims.watch_hours)
    moments = set[datetime]()
    for at in confirmed.values():
        minute = at.replace(second=0, microsecond=0)
        moments.add(minute + 2 * MINUTE)  # 60 to 120 s after it
        midnight = minute.replace(hour=0, minute=0)
        tick = midnight + ((minute - midnight) // every + 1) * every
        while tick <= at + LIVELY:
            moments.add(tick)
            tick += every
    out = Outcome()
    for now in sorted(moments):
        standing = {card: at for card, at in confirmed.items() if now - watch <= at <= now - MINUTE}
        if standing and now < end:
            look(store, now, standing, truth, policy, out)
    return out


@dataclass(frozen=True)
class Row:
    """Figures of one delay: payers in contact with a confirmed card, those who paid before, the others, warned."""

    reached: int
    too_late: int
    still: int
    before: int
    persons: int
    missed: Counter[str]
    for_nothing: Counter[str]


def judged(
    outcome: Outcome,
    truth: Truth,
    confirmed: Mapping[str, datetime],
    end: datetime,
    policy: Policy,
    points: int,
) -> Row:
    """Compare who was warned, had the policy asked for so many `points`, with the truth."""
    warned = {person: first[points] for person, first in outcome.warned.items() if points in first}
    too_late = still = before = 0
    missed = Counter[str]()
    for person, pays_at in truth.pays.items():
        known = [confirmed[card] for card, at in truth.contacts[person].items() if at < confirmed[card]]
        known = [at for at in known if at < end - timedelta(hours=1)]
        if not known:
            continue
        if pays_at <= min(known) + MINUTE:
            too_late += 1
            continue
        still += 1
        if warned.get(person, datetime.max) < pays_at:
            before += 1
        else:
            missed[_why(warned, outcome.seen.get(person), person, policy)] += 1
    nothing = Counter(
        "worked on, would not pay" if one in truth.worked else truth.others.get(one, "dialled")
        for one in warned
        if one not in truth.pays
    )
    return Row(too_late + still, too_late, still, before, len(warned), missed, nothing)


def _why(warned: Mapping[str, datetime], party: Party | None, person: str, policy: Policy) -> str:
    if person in warned:
        return "warned after they paid"
    if party is None:
        return "no contact of 30 s in any look"
    if why := exclusion_of(party, (), policy.victims):
        return f"excluded: {why.words.en}"
    signs = danger_of(party, {}, policy.victims).reasons
    return f"too few points: {', '.join(sorted(one.sign for one in signs)) or 'no sign'}"


def made(cards: int, days: int, level: int, seed: int) -> Path:
    """Simulate a world with victims and take it into a store, once."""
    folder = DATA / f"warned-{cards}-{days}-{level}-{seed}"
    if not (folder / "store").is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        rings = RingOptions(gangs="r11", adversary=level or None, careful_gangs=1)
        simulate(folder / "world", cards=cards, days=days, seed=seed, rings=rings, victims=True)
        scan = [sys.executable, "-m", "duanka.cli.main", "scan", str(folder / "world")]
        told = ["--store", str(folder / "store.unfinished"), "--out", str(folder / "out")]
        subprocess.run([*scan, *told], check=True, stdout=subprocess.DEVNULL)
        (folder / "store.unfinished").rename(folder / "store")
    return folder


def main() -> None:
    """Print a row for each delay."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cards", type=int, default=12_000)
    options.add_argument("--days", type=int, default=7)
    options.add_argument("--level", type=int, nargs="+", default=[4])
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--look", type=int, default=10, help="minutes between two looks at the same cards")
    options.add_argument(
        "--long-talks", type=float, help="share of strangers' calls over two minutes; as simulated"
    )
    options.add_argument("--delay", nargs="+", choices=list(DELAYS), default=list(DELAYS))
    options.add_argument("--points", action="store_true", help="also what other limits of points would give")
    options.add_argument("--missed", action="store_true", help="also say why those were missed who were")
    asked = options.parse_args()
    policy = policy_named("national")
    head = f"{'would pay':>10}{'too late':>9}{'warned before':>22}{'persons':>9}{'each':>7}"
    print(f"{'level':<6}{'confirmed':<10}{'points':>6}{head}")
    for level in asked.level:
        _level(level, asked, policy)


def _level(level: int, asked: argparse.Namespace, policy: Policy) -> None:
    folder = made(asked.cards, asked.days, level, asked.seed)
    truth = truth_of(folder / "world")
    store = StoreAsOf(folder / "store")
    days: Sequence[Path] = sorted((folder / "world" / "calls").iterdir())
    end = datetime.fromisoformat(days[-1].stem) + timedelta(days=1)
    own = policy.victims.warn_points
    for name in asked.delay:
        delay = timedelta(minutes=DELAYS[name])
        confirmed = truth.confirmed(delay)
        outcome = play(store, truth, policy, delay, asked, end)
        for points in range(max(own - 2, 1), own + 5) if asked.points else (own,):
            row = judged(outcome, truth, confirmed, end, policy, points)
            print(f"{level:<6}{name:<10}{points:>6}{_said(row)}", flush=True)
            if asked.missed and points == own:
                print(f"    missed: {dict(row.missed.most_common())}")
                print(f"    warned for nothing: {dict(row.for_nothing.most_common())}", flush=True)


def _said(row: Row) -> str:
    share, each = row.before / max(row.still, 1), row.persons / max(row.before, 1)
    goal = "" if share >= 0.9 and each <= 5 else "  missed"
    found = f"{row.before:>8,} of {row.still:>5,} {share:>5.0%}"
    return f"{row.reached:>10,}{row.too_late:>9,}{found}{row.persons:>9,}{each:>7.1f}{goal}"


if __name__ == "__main__":
    main()
