"""The 95% interval of each rate and share, so that no figure is read without what chance makes of its size."""

from __future__ import annotations

from collections.abc import Sequence

from duanka.domain.assessment import PER, FigureShape, Measure, UnitFigure

Bounds = tuple[float, float]


def bounds_of(figures: Sequence[tuple[Measure, UnitFigure]]) -> list[Bounds | None]:
    """Lower and upper end of each figure, as it is shown; None: unknown, of nothing, or no rate or share (Jeffreys)."""
    found: list[Bounds | None] = [None] * len(figures)
    for shape in (FigureShape.RATE, FigureShape.SHARE):
        known = [
            (at, one.count, one.exposure)
            for at, (measure, one) in enumerate(figures)
            if measure.shape is shape and one.count is not None and one.exposure
        ]
        if not known:
            continue
        places, counts, exposures = zip(*known, strict=True)
        for at, low, high in zip(places, *_intervals(shape, counts, exposures), strict=True):
            found[at] = (low, high)
    return found


def _intervals(
    shape: FigureShape, counts: Sequence[int], exposures: Sequence[int]
) -> tuple[list[float], list[float]]:
    # scipy takes 0.3 s, and most commands of the order database need none of it
    from duanka.assessment.comparison.intervals import part_interval, share_interval  # noqa: PLC0415

    if shape is FigureShape.SHARE:
        lower, upper = share_interval(counts, exposures)
        return lower.tolist(), upper.tolist()
    lower, upper = part_interval(counts, exposures)
    return (lower * PER).tolist(), (upper * PER).tolist()
