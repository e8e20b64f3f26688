"""ring.html: one self-contained page, byte-identical for equal rings. It loads nothing, and works from a file."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from duanka.domain.rings import DeviceRole, LinkKind
from duanka.domain.text import Language, Many
from duanka.links.graph.stored import GraphPeriod
from duanka.links.page import figures
from duanka.links.page.card_data import card_data
from duanka.links.page.charts import days_of
from duanka.links.page.drawing import Drawing
from duanka.links.page.layout import laid_out
from duanka.links.page.picture import OTHER_TIES, ROLES_OF_PEOPLE, ClusterKind, picture_of
from duanka.links.page.words import COLOURS, LETTERS, Wording
from duanka.links.ring.ring import Ring

_KINDS = (LinkKind.BATCH, LinkKind.DEVICE, *OTHER_TIES)
_MOST_ROWS = 40  # of a table; the lists have all


def page_of(ring: Ring, period: GraphPeriod, language: Language) -> str:
    """The page of `ring`. What it shows is what `ring` has: of a masked ring the page is masked."""
    return _environment(language).get_template("ring.html.j2").render(_content(ring, period, language))


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("duanka.links.page", package_path=""),
        autoescape=True,  # names of outlets and pseudonyms come from data
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["n"] = lambda number: f"{number:,}"
    environment.filters["many"] = lambda number, one, several: format(Many(number), f"{one}|{several}")
    environment.globals["say"] = lambda zh, en: zh if language == "zh" else en
    return environment


def _content(ring: Ring, period: GraphPeriod, language: Language) -> dict[str, object]:
    words = Wording(language)
    picture = picture_of(ring)
    drawing = Drawing(picture, laid_out(picture), words)
    numbers = figures.numbers(ring, words)
    script = files("duanka.links.page").joinpath("ring.js").read_text(encoding="utf-8")
    roles = dict(ring.cards.group_by("role").len().iter_rows())
    reason = pl.col(f"reason_{language}").alias("reason")
    rank = {role.value: place for place, role in enumerate(ROLES_OF_PEOPLE)}
    people = ring.joined.filter(pl.col("role").is_in([*rank])).sort(
        pl.col("role").replace_strict(rank, return_dtype=pl.Int64), maintain_order=True
    )
    shown = {node.kind for node in picture.nodes}
    return {
        "language": language,
        "seed": ring.seed.name,
        "period": period,
        "joined": ring.joined.height,
        "looked_at": ring.cards.height - ring.joined.height,
        "alone": not ring.links_hold,
        "numbers": numbers,
        "at_risk": int(ring.joined["at_risk"].sum()),
        "confirmed": int(ring.joined["confirmed"].sum()),
        "masked": any("****" in card for card in ring.cards["card"].head(50)),
        "picture": drawing.svg(words.listed(numbers)),
        "stocked": any(cluster.kind is ClusterKind.DRAWER for cluster in picture.places),
        "seeded": any(node.seed for node in picture.nodes),
        "marks": picture.size,
        "legend": [(kind.value, words.kind(kind.value)) for kind in _KINDS if kind.value in shown],
        "letters": [
            (LETTERS[role.value].in_(language), words.role(role.value))
            for role in ROLES_OF_PEOPLE
            if role.value in shown
        ],
        "colours": COLOURS,
        "days": days_of(ring.cards, period, words),
        "role_colours": words.colours(roles),
        "cities": figures.cities_of(ring),
        "in_drawer": figures.IN_DRAWER,
        "others": figures.OTHERS,
        "certainties": figures.certainties(ring),
        "kinds": figures.kinds_of(ring, words),
        "devices": ring.devices.head(_MOST_ROWS).rows(named=True),
        "device_words": {one.value: one.words.in_(language) for one in DeviceRole},
        "more_devices": max(ring.devices.height - _MOST_ROWS, 0),
        "outlets": ring.outlets.with_columns(reason).head(_MOST_ROWS).rows(named=True),
        "more_outlets": max(ring.outlets.height - _MOST_ROWS, 0),
        "people": people.with_columns(reason).head(_MOST_ROWS).rows(named=True),
        "more_people": max(people.height - _MOST_ROWS, 0),
        "doubtful": ring.cards.filter(~pl.col("joined"))
        .with_columns(reason)
        .head(_MOST_ROWS)
        .rows(named=True),
        "more_doubtful": max(ring.cards.height - ring.joined.height - _MOST_ROWS, 0),
        "role_of": words.role,
        "data": card_data(ring, picture, drawing, period, words),
        "script": script,
        # the page's own script may run, and nothing that a name in it might smuggle in
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
