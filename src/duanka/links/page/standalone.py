"""The picture of a ring as an SVG file of its own, with its styles, for documents that are printed."""

from __future__ import annotations

from duanka.domain.text import Language
from duanka.links.page import figures
from duanka.links.page.drawing import Drawing
from duanka.links.page.layout import WIDTH, laid_out
from duanka.links.page.picture import picture_of
from duanka.links.page.words import Wording
from duanka.links.ring.ring import Ring

# Those of ring.css that a still picture needs, in selectors that every reader of SVG knows.
_STYLE = """
text { font-family: "Noto Sans SC", "Noto Sans CJK SC", sans-serif; fill: #1d2530; font-size: 12px; }
.head { font-size: 13.5px; } .name { font-size: 13px; } .small { font-size: 11.5px; } .tiny { font-size: 10.5px; }
text.quiet { fill: #55606d; font-size: 11.5px; }
.letter { font-size: 11px; fill: #fff; } .more { font-size: 9.5px; }
.flow-n { font-size: 12px; } .seed-word { font-size: 11.5px; fill: #c2410c; }
.frame { fill: #f4f6f8; stroke: #aeb8c2; }
.site .frame { fill: #edf3fb; stroke: #2b5c9e; stroke-width: 1.6; }
.drawer .frame { fill: #fdf6e6; stroke: #9a6700; stroke-dasharray: 6 3; stroke-width: 1.4; }
.outlet .frame { fill: #eef7f6; stroke: #0b7a75; stroke-width: 1.4; }
.flow { fill: none; stroke-opacity: 0.38; } .line { fill: none; stroke-opacity: 0.5; }
.merged > rect { stroke: #55606d; }
"""


def standalone_svg(ring: Ring, language: Language) -> str:
    """The picture of `ring`, and nothing else; what it shows is what `ring` has: of a masked ring it is masked."""
    words = Wording(language)
    picture = picture_of(ring)
    layout = laid_out(picture)
    drawn = Drawing(picture, layout, words).svg(words.listed(figures.numbers(ring, words)))
    size = f'xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{layout.height:.0f}"'
    head, _, body = drawn.partition(">")
    return f"{head.replace('<svg', f'<svg {size}', 1)}><style>{_STYLE}</style>{body}"
