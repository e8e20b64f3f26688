"""Growth of a ring from a seed: it goes on while evidence carries it, not for a number of hops.

A card's certainty is that of at least one of its links being right ("noisy or"):

    certainty = 1 - product over its groups of (1 - strength * certainty of the group)
    certainty of a group = 1 - product over its cards in the ring of (1 - strength * certainty of the card)

Growth goes in rounds. Cards that reach JOINS are in the ring, and from then on count for their groups; what they gave
never comes back to them, for their certainty stands. A life of one's own weighs against links by things, such as a shop
or a phone: of a card with a circle outside of the ring little is left of them. It does not weigh against what a card
does. People of the ring are found by their circle instead: so many of those they talk to are in it that chance does not
explain it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from duanka.domain.rings import LinkKind
from duanka.links.graph.contacts import CALLED
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.neighbours import Neighbours, Weights
from duanka.links.graph.strength import Floats, Ints, binomial_bits, strength

JOINS = 0.5  # certainty from which on a card is in the ring
OPENS = 0.1  # certainty of a group, below which its other cards are not looked at
LISTED = 0.4  # certainty from which on a card is named, for a person to look at
CIRCLE_SHARE = 0.005  # of anybody's circle that may be in a ring by chance
CALLED_SHARE = 0.02  # of all numbers that anybody is in touch with
MIN_CONTACTS = 2
# what a card does, not what it came to share
ACTS = frozenset({LinkKind.CALLEES.value, LinkKind.CLIQUE.value, LinkKind.SWITCHED.value})
OWN_LIFE = 0.9  # taken from links by things at most, of a card that lives like a person's own
_FULL_CIRCLE = 5.0  # people of a circle that make it a life
_FULL_INCOMING = 0.2  # share of incoming calls that does
BOUGHT = frozenset(
    {LinkKind.BATCH.value, LinkKind.SERIALS.value, LinkKind.HOLDER.value}
)  # where, and in whose name
BEGUN_LIFE, BEGUN_DAYS = 0.1, 3  # own life, or days of use, of a card that may be an honest customer's
MIN_WITNESSES = 3
_CERTAINLY_MANY = 8  # links to the ring, from which on they are not all with two cards
ALONE = 0.5  # certainty at most, of a card for which fewer cards of the ring speak
CLEARED = 0.1  # what is left of the certainty of a card whose holder was verified
MOST_ROUNDS = 200

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class KnownCards:
    """What police, verification and objections said of cards, as rows: confirmed, passed, objection upheld."""

    confirmed: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    passed: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    upheld: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def in_no_ring(self) -> Ints:
        """Cards about which an objection was upheld, and that the police did not confirm."""
        return np.setdiff1d(self.upheld, self.confirmed)


@dataclass(frozen=True)
class Growth:
    """The ring. Per card of the graph: certainty (0 outside), round in which it came (-1: it did not join).

    by_group: the group that says most, -1 if contacts say more; from_card: the card of the ring that brought it in,
    -1 of a seed; contacts: with cards of the ring. group_certainty: per group. seeds, of_seeds: rows that the search
    began at, and the certainty that the others of the ring give each of them.
    """

    certainty: Floats
    round: Ints
    by_group: Ints
    from_card: Ints
    contacts: Ints
    group_certainty: Floats
    seeds: Ints
    of_seeds: Floats

    @property
    def members(self) -> Ints:
        """Rows of the cards that joined."""
        return np.flatnonzero(self.round >= 0)

    @property
    def listed(self) -> Ints:
        """Rows of the cards that are named: members, and those just short of it."""
        return np.flatnonzero((self.round >= 0) | (self.certainty >= LISTED))


class _Ring:
    """A growing ring; arrays as in Growth."""

    def __init__(self, graph: LinkGraph, known: KnownCards) -> None:
        self.graph, self.known = graph, known
        cards, groups = graph.cards.height, len(graph.kind)
        self.certainty = np.zeros(cards)
        self.round = np.full(cards, -1, dtype=np.int64)
        self.by_group = np.full(cards, -1, dtype=np.int64)
        self.contacts = np.zeros(cards, dtype=np.int64)
        self.in_circle = np.zeros(cards, dtype=np.int64)
        self.doubt = np.zeros(groups)  # log of 1 - certainty of a group
        self.members_of = np.zeros(groups, dtype=np.int64)  # cards of the ring that tell of a group
        self._acts = graph.kind.is_in(sorted(ACTS)).to_numpy()
        self._bought = graph.kind.is_in(sorted(BOUGHT)).to_numpy()
        self._peers = graph.cards["peers"].to_numpy()
        self._regular, self._days = graph.cards["regular"].to_numpy(), graph.cards["days"].to_numpy()
        self._at_risk = graph.cards["at_risk"].to_numpy()
        self._calls_in, self._calls_out = (graph.cards[name].to_numpy() for name in ("calls_in", "calls_out"))

    def join(self, cards: Ints, certainty: Floats, number: int) -> None:
        """Take `cards` in, and tell their groups and contacts.

        People, who came by their circle, lead on by it alone: their phone, their document and the numbers they dial
        are a person's own.
        """
        self.round[cards], self.certainty[cards] = number, certainty
        by_things = (self.by_group[cards] >= 0) | (number == 0)
        entry, owner = self.graph.groups_of.entries(cards[by_things])
        tells = self.graph.groups_of.strength[entry] * certainty[by_things][owner]
        np.add.at(self.doubt, self.graph.groups_of.other[entry], np.log1p(-np.minimum(tells, 0.999999)))
        np.add.at(self.members_of, self.graph.groups_of.other[entry], 1)
        entry, _ = self.graph.contacted_by.entries(cards)
        who, tie = self.graph.contacted_by.other[entry], self.graph.contacted_by.strength[entry]
        np.add.at(self.contacts, who, 1)
        np.add.at(self.in_circle, who[tie > CALLED], 1)

    def near(self, cards: Ints) -> Ints:
        """Cards outside that share an open group, or are in contact, with `cards`."""
        entry, _ = self.graph.groups_of.entries(cards)
        groups = np.unique(self.graph.groups_of.other[entry]).astype(np.int64)
        groups = groups[self.of_groups(groups) >= OPENS]
        entry, _ = self.graph.cards_of.entries(groups)
        talked, _ = self.graph.contacted_by.entries(cards)
        found = np.concatenate([self.graph.cards_of.other[entry], self.graph.contacted_by.other[talked]])
        found = np.unique(found).astype(np.int64)
        return np.asarray(found[self.round[found] < 0], dtype=np.int64)

    def of_groups(self, groups: Ints) -> Floats:
        """Certainty of groups."""
        return np.asarray(-np.expm1(self.doubt[groups]), dtype=np.float64)

    def weigh(self, cards: Ints) -> Floats:
        """Certainty of cards outside, and which group says most."""
        entry, owner = self.graph.groups_of.entries(cards)
        group = self.graph.groups_of.other[entry].astype(np.int64)
        says = self.graph.groups_of.strength[entry] * self.of_groups(group)
        by_groups, by_people = self._by_groups(cards, group, says, owner), self._by_people(cards)
        # whom more cards of the ring know by calls than by what they share came by its circle
        shared = np.bincount(owner, weights=self.members_of[group], minlength=len(cards))
        person = (by_people > by_groups) | ((by_people >= JOINS) & (self.contacts[cards] > shared))
        self._note_best(cards, group, says, owner, person)
        return self._certainty(cards, by_groups, by_people)

    def _certainty(self, cards: Ints, by_groups: Floats, by_people: Floats) -> Floats:
        """Certainty by what cards share and by those they talk to together, less what their holders have shown."""
        return (1.0 - (1.0 - by_groups) * (1.0 - by_people)) * self._cleared(cards)

    def _by_groups(self, cards: Ints, group: Ints, says: Floats | Weights, owner: Ints) -> Floats:
        """Certainty by what cards share: `says` for each of their groups.

        Things may come to share a person by accident; of what such links say, an own life takes its part.
        """
        doubt = np.log1p(-np.minimum(says, 0.999999))
        acts = self._acts[group]
        by_things, by_acts = (
            -np.expm1(np.bincount(owner, weights=doubt * which, minlength=len(cards)))
            for which in (~acts, acts)
        )
        by_things = by_things * (1.0 - OWN_LIFE * self.own_life(cards))
        return np.asarray(1.0 - (1.0 - by_things) * (1.0 - by_acts), dtype=np.float64)

    def others_say(self, cards: Ints) -> Floats:
        """Certainty of cards of the ring by all others of it, as if they had told nothing themselves."""
        entry, owner = self.graph.groups_of.entries(cards)
        strong = self.graph.groups_of.strength[entry]
        own = np.log1p(-np.minimum(strong * self.certainty[cards][owner], 0.999999))
        says = strong * -np.expm1(np.minimum(self.doubt[self.graph.groups_of.other[entry]] - own, 0.0))
        by_groups = self._by_groups(cards, self.graph.groups_of.other[entry].astype(np.int64), says, owner)
        return self._certainty(cards, by_groups, self._by_people(cards))

    def settle(self, seeds: Ints) -> None:
        """Give each card but the seeds the certainty that the whole ring gives it; two witnesses are not enough."""
        members = np.setdiff1d(np.flatnonzero(self.round >= 0), seeds)
        found = self.others_say(members)
        weak = (self._witnesses(members) < MIN_WITNESSES) | self._customers(members)
        self.certainty[members] = np.where(weak, np.minimum(found, ALONE), found)

    def _customers(self, cards: Ints) -> Flags:
        """Whether each of `cards` shares but shop and document with the ring, is used, and not as cards at risk are."""
        entry, owner = self.graph.groups_of.entries(cards)
        group = self.graph.groups_of.other[entry].astype(np.int64)
        says = self.graph.groups_of.strength[entry] * self.of_groups(group) >= OPENS
        more = np.bincount(owner, weights=says & ~self._bought[group], minlength=len(cards)) > 0
        used = (self.own_life(cards) >= BEGUN_LIFE) | (self._days[cards] >= BEGUN_DAYS)
        return np.asarray(~more & (self.by_group[cards] >= 0) & used & ~self._at_risk[cards], dtype=np.bool_)

    def _witnesses(self, cards: Ints) -> Ints:
        """How many cards of the ring speak for each of `cards`; where they are many, one may count twice."""
        of_group = self.graph.many_in_groups(np.flatnonzero(self.round >= 0))
        entry, owner = self.graph.groups_of.entries(cards)
        others = of_group[self.graph.groups_of.other[entry]] - 1
        many = (
            np.bincount(owner, weights=others, minlength=len(cards)).astype(np.int64) + self.contacts[cards]
        )
        few = np.flatnonzero(many < _CERTAINLY_MANY)
        many[few] = [self._witnesses_of(card) for card in cards[few]]
        return many

    def _witnesses_of(self, card: int) -> int:
        entry, _ = self.graph.groups_of.entries(np.array([card]))
        entry, _ = self.graph.cards_of.entries(self.graph.groups_of.other[entry].astype(np.int64))
        talked, _ = self.graph.contacts.entries(np.array([card]))
        near = np.unique(
            np.concatenate([self.graph.cards_of.other[entry], self.graph.contacts.other[talked]])
        )
        return int(((self.round[near] >= 0) & (near != card)).sum())

    def own_life(self, cards: Ints) -> Floats:
        """How far a card lives like a person's own, 0..1: it has a circle outside of the ring, and is called."""
        outside = np.maximum(self._regular[cards] - self.in_circle[cards], 0)
        calls_in = self._calls_in[cards]
        incoming = calls_in / np.maximum(calls_in + self._calls_out[cards], 1)
        talks = np.minimum(incoming / _FULL_INCOMING, 1.0)
        return np.asarray(np.minimum(outside / _FULL_CIRCLE, 1.0) * talks, dtype=np.float64)

    def _cleared(self, cards: Ints) -> Floats:
        """What is left of the certainty of cards, after what their holders have shown."""
        left = np.where(np.isin(cards, self.known.passed), CLEARED, 1.0)
        left[np.isin(cards, self.known.upheld)] = 0.0
        left[np.isin(cards, self.known.confirmed)] = 1.0
        return left

    def _by_people(self, cards: Ints) -> Floats:
        """Certainty by those it talks to: its circle, or all numbers, whichever says more."""
        of_circle = _by_contacts(self.in_circle[cards], self._regular[cards], CIRCLE_SHARE)
        return np.maximum(of_circle, _by_contacts(self.contacts[cards], self._peers[cards], CALLED_SHARE))

    def _note_best(self, cards: Ints, group: Ints, says: Floats, owner: Ints, people: Flags) -> None:
        order = np.lexsort((says, owner))
        last = np.flatnonzero(np.diff(owner[order], append=-1) != 0)
        self.by_group[cards] = -1
        self.by_group[cards[owner[order][last]]] = group[order][last]
        self.by_group[cards[people]] = -1


def _by_contacts(many: Ints, of: Ints, by_chance: float) -> Floats:
    found = np.zeros(len(many))
    some = np.flatnonzero(many >= MIN_CONTACTS)
    found[some] = strength(LinkKind.CONTACT, binomial_bits(many[some], of[some], by_chance))
    return found


def grow(graph: LinkGraph, seeds: Ints, seed_groups: Ints, known: KnownCards) -> Growth:
    """Grow the ring of the cards `seeds` and of all cards of the groups `seed_groups`, such as a seized device.

    Of the seeds, those that are in no ring lead to nobody.
    """
    seeds = np.setdiff1d(seeds, known.in_no_ring)
    ring = _grown(graph, seeds, seed_groups, known)
    return _told(ring, _brought_in(ring), seeds, ring.others_say(seeds))


def grow_around(graph: LinkGraph, card: int, core: Ints, known: KnownCards) -> Growth | None:
    """The ring of the cards `core`, as that of `card`, if it would take `card` in; None: it would not.

    It is as much the card's ring as the card is the ring's: what the ring says of the card is a part of the certainty
    of all others.
    """
    core = np.setdiff1d(core, [card, *known.in_no_ring])
    ring = _grown(graph, core, np.empty(0, dtype=np.int64), known)
    says = float(ring.certainty[card])
    if says < JOINS:
        return None
    certainty = ring.certainty.copy()
    certainty[core] = ring.others_say(core)
    ring.weigh(core)  # notes what says most of each
    ring.certainty = certainty * says
    ring.certainty[card] = 1.0
    ring.round = np.where((ring.round >= 0) & (ring.certainty >= JOINS), ring.round + 1, -1)
    ring.round[card] = 0
    came = _brought_in(ring)
    came[core] = card
    return _told(ring, came, np.array([card]), np.array([says]))


def _grown(graph: LinkGraph, seeds: Ints, seed_groups: Ints, known: KnownCards) -> _Ring:
    ring = _Ring(graph, known)
    ring.doubt[seed_groups] = np.log(1e-6)
    ring.join(seeds, np.ones(len(seeds)), 0)
    entry, _ = graph.cards_of.entries(seed_groups)
    near = np.union1d(np.unique(graph.cards_of.other[entry]).astype(np.int64), ring.near(seeds))
    for number in range(1, MOST_ROUNDS):
        near = near[ring.round[near] < 0]
        certainty = ring.weigh(near)
        ring.certainty[near] = certainty
        new = near[certainty >= JOINS]
        if not len(new):
            break
        ring.join(new, ring.certainty[new], number)
        near = np.union1d(near, ring.near(new))
    ring.settle(seeds)
    return ring


def _told(ring: _Ring, came: Ints, seeds: Ints, of_seeds: Floats) -> Growth:
    group_certainty = ring.of_groups(np.arange(len(ring.graph.kind)))
    return Growth(
        ring.certainty, ring.round, ring.by_group, came, ring.contacts, group_certainty, seeds, of_seeds
    )


def _brought_in(ring: _Ring) -> Ints:
    """For each listed card the first card of its group, or of those it is in contact with, that is in the ring."""
    graph = ring.graph
    came = np.full(graph.cards.height, -1, dtype=np.int64)
    listed = np.flatnonzero((ring.certainty >= LISTED) & (ring.round != 0))
    by_things = listed[ring.by_group[listed] >= 0]
    groups, which = np.unique(ring.by_group[by_things], return_inverse=True)
    came[by_things] = _first_in(ring, graph.cards_of, groups)[which]
    by_people = listed[ring.by_group[listed] < 0]
    came[by_people] = _first_in(ring, graph.contacts, by_people)
    came[listed] = np.where(came[listed] == listed, -1, came[listed])
    return came


def _first_in(ring: _Ring, near: Neighbours, rows: Ints) -> Ints:
    """Of each of `rows`, the neighbour that came first into the ring, of equals the most certain; -1: none."""
    entry, owner = near.entries(rows)
    other = near.other[entry].astype(np.int64)
    inside = ring.round[other] >= 0
    other, owner = other[inside], owner[inside]
    order = np.lexsort((-other, ring.certainty[other], -ring.round[other], owner))
    last = np.flatnonzero(np.diff(owner[order], append=-1) != 0)
    found = np.full(len(rows), -1, dtype=np.int64)
    found[owner[order][last]] = other[order][last]
    return found
