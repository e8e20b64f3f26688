"""Drawings of a dossier as SVG: where cards were opened and are used, by city; days of use. No map data is needed.

A city is a six-digit administrative code (GB/T 2260), whose first two digits are the province. Provinces are drawn as
tiles, roughly where they lie; no border is drawn.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from duanka.casework.clues.dossier.model import CaseDossier, CityFlow

_WIDTH = 680
_ROW_GAP = 8
_LEAST, _HEIGHT = 15.0, 260.0  # of a bar, of all bars together
_MOST_CITIES = 9
_OTHERS, _UNKNOWN = "其他城市", "无记录"
_FONT = 'font-family="Noto Sans CJK SC, Noto Sans SC"'
# Province code -> name, column and row of its tile.
PROVINCES: dict[str, tuple[str, int, int]] = {
    "65": ("新疆", 0, 2),
    "15": ("内蒙古", 5, 1),
    "23": ("黑龙江", 8, 0),
    "22": ("吉林", 8, 1),
    "21": ("辽宁", 8, 2),
    "62": ("甘肃", 2, 2),
    "64": ("宁夏", 3, 2),
    "14": ("山西", 5, 2),
    "13": ("河北", 6, 2),
    "11": ("北京", 6, 1),
    "12": ("天津", 7, 2),
    "63": ("青海", 1, 3),
    "61": ("陕西", 4, 3),
    "41": ("河南", 5, 3),
    "37": ("山东", 6, 3),
    "32": ("江苏", 7, 3),
    "54": ("西藏", 1, 4),
    "51": ("四川", 3, 4),
    "50": ("重庆", 4, 4),
    "42": ("湖北", 5, 4),
    "34": ("安徽", 6, 4),
    "31": ("上海", 8, 4),
    "33": ("浙江", 7, 4),
    "52": ("贵州", 4, 5),
    "43": ("湖南", 5, 5),
    "36": ("江西", 6, 5),
    "35": ("福建", 7, 5),
    "71": ("台湾", 8, 6),
    "53": ("云南", 3, 6),
    "45": ("广西", 4, 6),
    "44": ("广东", 5, 6),
    "81": ("香港", 6, 6),
    "82": ("澳门", 5, 7),
    "46": ("海南", 4, 7),
}
_TILE = 62
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_xml(svg: str) -> str:
    """The drawing without the letters that XML forbids, which names from records may hold."""
    return _NO_XML.sub("?", svg)


def city_flows(flows: Sequence[CityFlow]) -> str:
    """Bands from the city where cards were opened (left) to the one where they are mostly used (right); "": none."""
    if not flows:
        return ""
    home, used = (_named(flows, side) for side in ("home", "used"))
    bands = Counter[tuple[str, str]]()
    for flow in flows:
        bands[_of(flow.home, home), _of(flow.used, used)] += flow.cards
    total = sum(bands.values())
    left, right = (_stacked(bands, side, total) for side in (0, 1))
    height = max(y + size for stack in (left, right) for y, size in stack.values()) + 6
    parts = [
        _text(150, 14, "开户地 opened in", "end", bold=True),
        _text(530, 14, "使用地 used in", "start", bold=True),
    ]
    at = {(side, name): y for side, stack in enumerate((left, right)) for name, (y, _) in stack.items()}
    for (one, other), many in sorted(bands.items()):
        shares = [
            many / sum(n for key, n in bands.items() if key[side] == name)
            for side, name in ((0, one), (1, other))
        ]
        thick = (left[one][1] * shares[0], right[other][1] * shares[1])
        y0, y1 = at[0, one], at[1, other]
        at[0, one] += thick[0]
        at[1, other] += thick[1]
        colour = "#2b5c9e" if one == other else "#c2410c"
        parts.append(
            f'<path d="M172 {y0:.1f}C340 {y0:.1f} 340 {y1:.1f} 508 {y1:.1f}L508 {y1 + thick[1]:.1f}'
            f'C340 {y1 + thick[1]:.1f} 340 {y0 + thick[0]:.1f} 172 {y0 + thick[0]:.1f}Z" fill="{colour}"'
            ' fill-opacity="0.35"/>'
        )
    for stack, x, anchor, edge in ((left, 158, "end", 150), (right, 508, "start", 530)):
        for name, (y, size) in stack.items():
            side = 0 if x == 158 else 1
            many = sum(n for key, n in bands.items() if key[side] == name)
            parts.append(f'<rect x="{x}" y="{y:.1f}" width="14" height="{size:.1f}" fill="#1d2530"/>')
            parts.append(_text(edge, y + size / 2 + 4, f"{name}　{many} 张", anchor))
    return _svg(_WIDTH, height, parts)


def province_tiles(dossier: CaseDossier) -> str:
    """Tiles of the provinces with how many cards are mostly used there; "": fewer than two known ones."""
    counted = Counter(card.main_city[:2] for card in dossier.cards if card.main_city[:2] in PROVINCES)
    if len(counted) < 2:
        return ""
    most = max(counted.values())
    parts = []
    for code, (name, column, row) in PROVINCES.items():
        x, y, many = column * _TILE, row * 44, counted[code]
        fill = f'fill="#c2410c" fill-opacity="{0.15 + 0.75 * many / most:.2f}"' if many else 'fill="#f0f2f4"'
        parts.append(f'<rect x="{x + 2}" y="{y + 2}" width="{_TILE - 4}" height="40" rx="3" {fill}/>')
        parts.append(_text(x + _TILE / 2, y + (19 if many else 27), name, "middle"))
        if many:
            parts.append(_text(x + _TILE / 2, y + 35, f"{many} 张", "middle", bold=True))
    return _svg(9 * _TILE, 8 * 44, parts)


def days_of_use(dossier: CaseDossier) -> str:
    """Line for each of the most used devices: from its first to its last record; "": none."""
    rows = [one for one in dossier.devices if one.first and one.last][:18]
    if not rows or dossier.records is None:
        return ""
    first, last = dossier.records
    days = max((last - first).days + 1, 1)
    left, wide = 170, _WIDTH - 190
    parts = [_text(left, 12, f"{first}", "start"), _text(left + wide, 12, f"{last}", "end")]
    for row, one in enumerate(rows):
        y = 26 + row * 17
        assert one.first and one.last  # noqa: S101, PT018  # chosen above
        begin = (one.first.date() - first).days / days * wide
        end = ((one.last.date() - first).days + 1) / days * wide
        parts.append(_text(left - 8, y + 5, f"{one.imei}（{len(one.cards)} 张卡）", "end"))
        parts.append(f'<line x1="{left}" y1="{y}" x2="{left + wide}" y2="{y}" stroke="#d5dbe1"/>')
        parts.append(
            f'<rect x="{left + begin:.1f}" y="{y - 4}" width="{max(end - begin, 3):.1f}" height="8" fill="#2b5c9e"/>'
        )
    return _svg(_WIDTH, 26 + len(rows) * 17, parts)


def _named(flows: Iterable[CityFlow], side: str) -> set[str]:
    counted = Counter[str]()
    for flow in flows:
        counted[getattr(flow, side)] += flow.cards
    order = sorted(counted, key=lambda city: (-counted[city], city))
    return set(order if len(order) <= _MOST_CITIES else order[: _MOST_CITIES - 1])


def _of(city: str, named: set[str]) -> str:
    return (city or _UNKNOWN) if city in named else _OTHERS


def _stacked(bands: Counter[tuple[str, str]], side: int, total: int) -> dict[str, tuple[float, float]]:
    """Where each city's bar begins, and its height; the largest first, others and unknown last."""
    counted = Counter[str]()
    for key, many in bands.items():
        counted[key[side]] += many
    order = sorted(counted, key=lambda city: (city in (_OTHERS, _UNKNOWN), -counted[city], city))
    found, y = dict[str, tuple[float, float]](), 28.0
    for city in order:
        size = max(_LEAST, _HEIGHT * counted[city] / total)
        found[city] = y, size
        y += size + _ROW_GAP
    return found


def _text(x: float, y: float, said: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" {_FONT} font-size="11.5" fill="#1d2530" text-anchor="{anchor}"{weight}>'
        f"{escape(said)}</text>"
    )


def _svg(width: float, height: float, parts: Iterable[str]) -> str:
    size = f'width="{width}" height="{height:.0f}" viewBox="0 0 {width} {height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'
