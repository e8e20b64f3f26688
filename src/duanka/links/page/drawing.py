"""The picture of a ring as inline SVG: readable as it is, without a script; every mark has its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from duanka.domain.rings import LinkKind
from duanka.domain.text import BilingualText
from duanka.links.page.layout import (
    PEOPLE_LEFT,
    PEOPLE_WIDTH,
    PLACES_LEFT,
    PLACES_WIDTH,
    WIDTH,
    Flow,
    PictureLayout,
    Rectangle,
    Spot,
)
from duanka.links.page.picture import OTHER_TIES, ClusterKind, Node, NodeCluster, Picture, Tie
from duanka.links.page.words import (
    AMONG,
    BATCHES,
    BOUND,
    CARDS,
    CERTAINTY,
    CITIES,
    CITY,
    CLUSTERS,
    COLOURS,
    COLUMNS,
    DEVICES,
    FLOW,
    HEADINGS,
    LETTERS,
    MINDING,
    MORE_OF,
    MORE_PEOPLE,
    NOBODY,
    NODE_SAYS,
    ONE_OF,
    SEED_MARK,
    TIES,
    UNKNOWN_OUTLETS,
    Wording,
)

_LONGEST_NAME = 26  # letters of a name in a frame; a Chinese character counts as two
_BOUND_ROOM = 9  # of these, where it stands beside how many times its peers an outlet is
_WRITTEN_FLOW = 0.02  # of all cards, from which on a band bears its number
_CLOSEST = 1  # contacts of a person with other people, that are drawn
_NUMBER = 13  # height of a written number


class Drawing:
    """The picture as SVG, in the language of `words`."""

    def __init__(self, picture: Picture, layout: PictureLayout, words: Wording) -> None:
        self._picture, self._layout, self._words = picture, layout, words
        self._names = {
            **{cluster.id: self.cluster_name(cluster) for cluster in (*picture.supply, *picture.places)},
            **{node.id: self.node_name(node) for node in picture.nodes},
        }

    def svg(self, title: str) -> str:
        """All of it; `title`: what a screen reader says of the whole."""
        parts = [
            *self._headings(),
            *self._flows(),
            *self._lines(),
            *self._arcs(),
            *self._clusters(),
            *self._ties(),
            *(self._node(node) for node in self._picture.nodes),
            '<g class="threads"></g>',
        ]
        size = f'viewBox="0 0 {WIDTH} {_px(self._layout.height)}"'
        drawn = "\n".join(parts)
        return f'<svg id="picture" {size} role="group" aria-label="{escape(title)}" tabindex="0">\n{drawn}\n</svg>'

    def node_name(self, node: Node) -> str:
        """A node in words."""
        people = node.kind in LETTERS
        if node.merged:
            return self._words.say(MORE_PEOPLE if people else MORE_OF[node.kind], n=node.merged)
        if people:
            return f"{self._words.role(node.kind)} {node.label}"
        # of a pseudonym that is longer than anybody reads, its beginning
        label = node.label[:8] if node.kind == LinkKind.HOLDER.value and len(node.label) > 20 else node.label
        return self._words.say(ONE_OF[node.kind], label=label)

    def cluster_name(self, cluster: NodeCluster) -> str:
        """A cluster in words."""
        if cluster.kind is ClusterKind.OTHER_OUTLETS and not cluster.many:
            return self._words.say(UNKNOWN_OUTLETS)
        return self._words.say(CLUSTERS[cluster.kind], label=cluster.label, many=cluster.many)

    def _headings(self) -> Iterator[str]:
        for x, said in zip((6, PLACES_LEFT, PEOPLE_LEFT), COLUMNS, strict=True):
            yield _text(x, 16, self._words.say(said), "head")
        if not self._picture.people:
            yield _text(PEOPLE_LEFT, 46, self._words.say(NOBODY), "quiet")
        for role, y in self._layout.headings.items():
            many = sum(max(node.merged, 1) for node in self._picture.people if node.kind == role)
            yield _text(PEOPLE_LEFT, y, f"{self._words.say(HEADINGS[role])} ({many:,})", "quiet")

    def _flows(self) -> Iterator[str]:
        all_cards = sum(flow.tie.cards for flow in self._layout.flows)
        written = list[tuple[float, float, str]]()
        for flow in self._layout.flows:
            tie, drawer = flow.tie, flow.tie.other == "pd"
            colour = COLOURS[ClusterKind.DRAWER.value if drawer else LinkKind.BATCH.value]
            said = self._words.say(FLOW, one=self._names[tie.one], other=self._names[tie.other], n=tie.cards)
            dashes = ' stroke-dasharray="7 3"' if drawer else ""
            yield (
                f'<path class="flow" data-one="{tie.one}" data-other="{tie.other}" d="{_band(flow)}"'
                f' stroke="{colour}" stroke-width="{_px(flow.height)}"{dashes}><title>{escape(said)}</title></path>'
            )
            if tie.cards >= _WRITTEN_FLOW * all_cards:
                written.append((flow.end[0] - 7, flow.end[1], f"{tie.cards:,}"))
        lowest = 0.0
        for x, y, said in sorted(written, key=lambda one: one[1]):
            lowest = max(y, lowest + _NUMBER)  # thin bands end close to each other, their numbers must not
            yield _text(x, lowest + 4, said, "flow-n", anchor="end")

    def _lines(self) -> Iterator[str]:
        """From people to the places whose cards they are in contact with."""
        most = max((tie.cards for tie in self._picture.minding), default=1)
        landed = dict[str, int]()
        for tie in self._picture.minding:
            spot, frame = self._layout.spots[tie.one], self._layout.frames[tie.other]
            landed[tie.other] = landed.get(tie.other, 0) + 1
            y = min(frame.y + 8 + 5 * landed[tie.other], frame.y + frame.height - 5)
            x, right = PLACES_LEFT + PLACES_WIDTH, spot.x - spot.size - 2
            bend = (right - x) / 2
            curve = f"{_px(right - bend)} {_px(spot.y)} {_px(x + bend)} {_px(y)} {x} {_px(y)}"
            path = f"M{_px(right)} {_px(spot.y)}C{curve}"
            yield self._line(tie, path, MINDING, 1 + 5 * tie.cards / most)

    def _arcs(self) -> Iterator[str]:
        """Contacts between people, right of them; of each the closest, for in a ring everybody knows many."""
        ties = sorted(self._picture.among_people, key=lambda tie: -tie.cards)
        drawn, many = list[Tie](), dict[str, int]()
        for tie in ties:
            if min(many.get(tie.one, 0), many.get(tie.other, 0)) < _CLOSEST:
                drawn.append(tie)
                for name in (tie.one, tie.other):
                    many[name] = many.get(name, 0) + 1
        most = ties[0].cards if ties else 1
        x = PEOPLE_LEFT + PEOPLE_WIDTH
        for tie in drawn:
            one, other = (self._layout.spots[name].y for name in (tie.one, tie.other))
            bulge = min(14 + abs(one - other) / 3.5, WIDTH - x - 4)
            path = (
                f"M{x} {_px(one)}C{_px(x + bulge)} {_px(one)} {_px(x + bulge)} {_px(other)} {x} {_px(other)}"
            )
            yield self._line(tie, path, AMONG, 1 + 3 * tie.cards / most)

    def _line(self, tie: Tie, path: str, words: BilingualText, width: float) -> str:
        said = self._words.say(
            words,
            one=self._names[tie.one],
            other=self._names[tie.other],
            n=tie.cards,
        )
        colour = COLOURS[LinkKind.CONTACT.value]
        return (
            f'<path class="line" data-one="{tie.one}" data-other="{tie.other}" d="{path}" stroke="{colour}"'
            f' stroke-width="{_px(width)}"><title>{escape(said)}</title></path>'
        )

    def _clusters(self) -> Iterator[str]:
        for cluster in (*self._picture.supply, *self._picture.places):
            frame = self._layout.frames[cluster.id]
            name = self._names[cluster.id]
            facts = " · ".join(self._facts(cluster))
            bound = "" if cluster.bound is None else self._words.say(BOUND, n=f"{cluster.bound:,.0f}")
            right = (
                _text(frame.x + frame.width - 10, frame.y + 18, bound, "small", anchor="end") if bound else ""
            )
            inside = frame.x + 10
            yield (
                f'<g class="cluster {cluster.kind.value}" data-id="{cluster.id}" role="button" tabindex="-1"'
                f' aria-label="{escape(", ".join(filter(None, (name, facts, bound))))}">{_rectangle(frame)}{right}'
                f"{_text(inside, frame.y + 18, _short(name, _LONGEST_NAME - (_BOUND_ROOM if bound else 0)), 'name')}"
                f"{_text(inside, frame.y + 34, facts, 'quiet')}</g>"
            )

    def _facts(self, cluster: NodeCluster) -> Iterator[str]:
        yield self._words.counted(CARDS, cluster.cards)
        many = sum(max(node.merged, 1) for node in cluster.nodes if node.kind != LinkKind.SEED.value)
        outlets = cluster.kind in (ClusterKind.OUTLET, ClusterKind.OTHER_OUTLETS)
        if many:
            yield self._words.counted(BATCHES if outlets else DEVICES, many)
        if cluster.kind is ClusterKind.ELSEWHERE and cluster.many:
            yield self._words.counted(CITIES, cluster.many)
        if cluster.city and outlets:
            yield self._words.say(CITY, city=cluster.city)

    def _ties(self) -> Iterator[str]:
        for kind in (kind.value for kind in OTHER_TIES if kind.value in self._layout.frames):
            frame = self._layout.frames[kind]
            nodes = [node for node in self._picture.others if node.kind == kind]
            said = self._words.say(
                TIES,
                groups=sum(max(node.merged, 1) for node in nodes),
                cards=self._picture.tied[kind],
                most=max(node.cards for node in nodes if not node.merged),
            )
            yield (
                f'<g class="ties">{_rectangle(frame)}'
                f"{_text(frame.x + 10, frame.y + 18, self._words.kind(kind), 'name')}"
                f"{_text(frame.x + 10, frame.y + 34, said, 'quiet')}</g>"
            )

    def _node(self, node: Node) -> str:
        spot = self._layout.spots[node.id]
        name = self._names[node.id]
        people = node.kind in LETTERS
        said = name if people else self._words.say(NODE_SAYS, name=name, n=node.cards)
        if not node.merged and node.kind != LinkKind.CALLEES.value:
            said += f", {self._words.say(CERTAINTY, certainty=f'{node.certainty:.2f}')}"
        if node.seed:
            said = f"{self._words.say(SEED_MARK)}: {said}"
        parts = [_shape(node, spot)]
        if people:
            letter = LETTERS[node.kind].in_(self._words.language)
            parts += [
                _text(spot.x, spot.y + 4, letter, "letter", anchor="middle"),
                _text(spot.x + 15, spot.y + 4, _short(node.label or name, 19), "small"),
            ]
        elif spot.named and not node.merged:
            parts.append(_text(spot.x, spot.y + 26, f"…{node.label[-3:]}", "tiny", anchor="middle"))
            parts.append(_text(spot.x, spot.y + 4, f"{node.cards:,}", "letter", anchor="middle"))
        elif node.merged:
            parts.append(_text(spot.x - 5.5, spot.y + 3.5, f"+{node.merged:,}", "more"))
        if node.seed:
            parts.append(_seed_mark(spot, self._words.say(SEED_MARK)))
        return (
            f'<g class="node {node.kind}{" merged" if node.merged else ""}" data-id="{node.id}" role="button"'
            f' tabindex="-1" aria-label="{escape(said)}"><title>{escape(said)}</title>{"".join(parts)}</g>'
        )


# Corners of the shapes that are not circles, in halves of a node's size; several to a kind are several polygons.
_CORNERS: dict[str, Sequence[Sequence[tuple[float, float]]]] = {
    LinkKind.DEVICE.value: [[(-1, -1), (1, -1), (1, 1), (-1, 1)]],
    LinkKind.DEVICE_RUN.value: [[(x, -0.8), (x + 0.8, -0.8), (x + 0.8, 0.8), (x, 0.8)] for x in (-1.0, 0.2)],
    LinkKind.SERIALS.value: [[(x, -1), (x + 0.4, -1), (x + 0.4, 1), (x, 1)] for x in (-1.0, -0.2, 0.6)],
    LinkKind.HOLDER.value: [[(-0.8, -1), (0.3, -1), (0.8, -0.5), (0.8, 1), (-0.8, 1)]],
    LinkKind.SWITCHED.value: [[(0, -1), (1, 0.8), (-1, 0.8)]],
    LinkKind.CLIQUE.value: [[(-1, -0.9), (1, -0.9), (0, 0.1)], [(-1, 0.9), (1, 0.9), (0, -0.1)]],
    LinkKind.ACCOUNT.value: [[(0, -1), (1, 0), (0, 1), (-1, 0)]],
    LinkKind.CALLEES.value: [[(-1, y), (1, y), (1, y + 0.42), (-1, y + 0.42)] for y in (-0.9, -0.25, 0.4)],
}


def _shape(node: Node, spot: Spot) -> str:
    """A shape for each kind, so that kinds part without colours; a pill for what is merged."""
    x, y, r = spot.x, spot.y, spot.size
    fill = f'fill="{COLOURS[node.kind]}"'
    if node.merged and node.kind not in LETTERS:
        width = 5.6 * len(f"+{node.merged:,}") + 7
        return (
            f'<rect x="{_px(x - 9)}" y="{_px(y - 8)}" width="{_px(width)}" height="16" rx="8" fill="#fff"/>'
        )
    if node.kind not in _CORNERS:
        return f'<circle cx="{_px(x)}" cy="{_px(y)}" r="{_px(r)}" {fill}/>'
    shapes = ([(x + r * right, y + r * down) for right, down in shape] for shape in _CORNERS[node.kind])
    return "".join(_polygon(points, fill) for points in shapes)


def _seed_mark(spot: Spot, said: str) -> str:
    """A frame around the node at which the search began, with a word."""
    r, colour = spot.size + 4, COLOURS[LinkKind.SEED.value]
    around = f'x="{_px(spot.x - r)}" y="{_px(spot.y - r)}" width="{_px(2 * r)}" height="{_px(2 * r)}" rx="5"'
    return (
        f'<rect class="seed-mark" {around} fill="none" stroke="{colour}" stroke-width="3"/>'
        f"{_text(spot.x - r, spot.y - r - 3, said, 'seed-word')}"
    )


def _polygon(points: Sequence[tuple[float, float]], fill: str) -> str:
    path = " ".join(f"{_px(x)},{_px(y)}" for x, y in points)
    return f'<polygon points="{path}" {fill}/>'


def _rectangle(frame: Rectangle) -> str:
    size = f'width="{_px(frame.width)}" height="{_px(frame.height)}"'
    return f'<rect class="frame" x="{_px(frame.x)}" y="{_px(frame.y)}" {size} rx="4"/>'


def _band(flow: Flow) -> str:
    (x, y), (end, to) = flow.start, flow.end
    half = (end - x) / 2
    return f"M{_px(x)} {_px(y)}C{_px(x + half)} {_px(y)} {_px(end - half)} {_px(to)} {_px(end)} {_px(to)}"


def _text(x: float, y: float, said: str, kind: str, anchor: str = "start") -> str:
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{_px(x)}" y="{_px(y)}"{placed}>{escape(said, quote=False)}</text>'


def _short(name: str, longest: int = _LONGEST_NAME) -> str:
    """Shorten a name that is longer than its place."""
    name = " ".join(name.split())
    width = 0
    for place, letter in enumerate(name):
        width += 1 if letter.isascii() else 2
        if width > longest:
            return name[: max(place - 1, 1)] + "…"
    return name


def _px(value: float) -> str:
    """A length with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")
