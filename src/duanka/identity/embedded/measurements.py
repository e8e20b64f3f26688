"""What the engine measures of pictures, as plain numbers: what liveness judges, and tests make up by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FaceMeasurements:
    """What one picture shows. Without a face everything but `luminance` is 0.

    `faces`: that matter; `box`: x, y, width, height in pixels; `luminance` 0 to 255 and `sharpness` of the face;
    `eyes`, `mouth`: opening against width; `yaw`: degrees, above 0 where the person turns to their own left.
    """

    faces: int
    luminance: float
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    sharpness: float = 0.0
    eyes: float = 0.0
    mouth: float = 0.0
    yaw: float = 0.0
    found: Any = None  # the row of the detector, from which the face is aligned
    mesh: Any = None  # 468 points of the face: x, y in pixels of the picture, and depth


@dataclass(frozen=True)
class PlanarityScores:
    """How much of a second picture a moved photograph of the first one explains: 0 to 1, where 1 is all of it.

    `plane`: share of the face's points that moved as points of one plane do; `eyes`, `mouth`: how alike these
    parts are once the plane is laid over them, of the eyes the less alike one. `bent`: of the points that could be
    followed the share that moved as points of one smooth sheet do, such as paper round a roll.
    """

    plane: float
    eyes: float
    mouth: float
    bent: float
