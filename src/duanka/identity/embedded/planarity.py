"""Is a second picture of a face the first one, moved? A photograph stays a plane however it is turned; a face does not.

The face mesh alone does not tell: it is made to see a face in everything, and reads tilted paper as a turned head. So
the second picture is laid over the first as a plane would lie, and what is left over is measured. A head that turns
moves its nose against its cheeks; lips and lids that move are not under the plane's. Paper that is bent round a roll
is no plane, but it is smooth: it has no nose, and a smooth sheet is laid over it in the same way.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from duanka.identity.embedded.images import Picture
from duanka.identity.embedded.measurements import FaceMeasurements, PlanarityScores

Grid = np.ndarray[Any, np.dtype[Any]]

_SIDE = 128  # pixels of the square in which faces are compared
_EYES = (([33, 133, 159, 145], 3), ([362, 263, 386, 374], 3))  # points of the mesh, and pixels around them
_MOUTH = ([61, 291, 0, 17, 13, 14], 4)
_PLAY = 5  # pixels by which a part may lie beside where the plane has it: paper bends
_POINTS, _FEWEST = 200, 20  # that are followed from one picture to the other; with fewer nothing is said
_OFF = 1.2  # pixels by which a point of a plane may be off
_AROUND = 8  # pixels around, against which light and contrast are evened out
_BENDS = 3  # times that a sheet is laid closer
_FOLLOWED = 0.25  # of the points; with fewer nothing is said of a sheet


def alike(
    first: Picture, seen: FaceMeasurements, second: Picture, later: FaceMeasurements
) -> PlanarityScores:
    """Lay the face of `second` over that of `first`. What cannot be followed at all counts as a plane."""
    mesh: Grid = seen.mesh[:, :2].astype(np.float32)
    corner, far = mesh.min(axis=0), mesh.max(axis=0)
    scale = _SIDE / max(float((far - corner).max()), 1.0)
    points = (mesh - corner) * scale
    into = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]], [0, 0, 1]])
    flat = _even(first, into)
    over: Any = cv2.findHomography(later.mesh[:, :2].astype(np.float32), points)[0]
    tracked: Any = cv2.goodFeaturesToTrack(flat, _POINTS, 0.005, 3, mask=_inside(points))
    if over is None or tracked is None or len(tracked) < _FEWEST:
        return PlanarityScores(1.0, 1.0, 1.0, 1.0)
    bent = _bent(flat, second, (points, later.mesh[:, :2]), tracked, scale)
    plane = 0.0
    for _ in range(2):  # the mesh says about where; the points themselves say where
        share, closer = _followed(flat, _even(second, over), tracked)
        if closer is None:
            break
        plane, over = share, closer @ over
    laid = _even(second, over)
    eyes = min(_part(flat, laid, points[which], around) for which, around in _EYES)
    return PlanarityScores(plane, eyes, _part(flat, laid, points[_MOUTH[0]], _MOUTH[1]), bent)


def _even(picture: Picture, way: Any) -> Grid:
    """The face alone, laid out by a plane's way."""
    return _evened(cv2.warpPerspective(picture, way, (_SIDE, _SIDE)))


def _evened(face: Picture) -> Grid:
    """Grey, without what light does to it: a photograph that is turned shines elsewhere."""
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0).astype(np.float32)
    detail = smooth - cv2.GaussianBlur(smooth, (0, 0), _AROUND)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _AROUND)) + 4
    evened: Grid = np.clip(detail / contrast * 45 + 128, 0, 255).astype(np.uint8)
    return evened


def _inside(points: Grid) -> Grid:
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), (255,))
    return cv2.erode(mask, np.ones((9, 9), np.uint8))


def _followed(flat: Grid, moved: Grid, points: Any) -> tuple[float, Any]:
    """The share of points that move as one plane, and that plane's way; no way where there is none."""
    there, sure = _found(flat, moved, points)
    if sure.sum() < _FEWEST // 2:
        return 0.0, None
    cv2.setRNGSeed(1)  # the same frames get the same verdict
    way: Any
    way, fits = cv2.findHomography(there[sure], points[sure], cv2.RANSAC, _OFF)
    return (0.0, None) if way is None else (float(fits.sum()) / len(points), way)


def _found(flat: Grid, moved: Grid, points: Any) -> tuple[Any, Any]:
    """Where the points went, and which of them lead back to where they came from."""
    there, found, _ = cv2.calcOpticalFlowPyrLK(flat, moved, points, np.empty_like(points), winSize=(15, 15))
    back, again, _ = cv2.calcOpticalFlowPyrLK(moved, flat, there, np.empty_like(points), winSize=(15, 15))
    near = np.linalg.norm(back - points, axis=2).ravel() < 1
    return there, (found.ravel() > 0) & (again.ravel() > 0) & near


def _bent(flat: Grid, second: Picture, mesh: tuple[Grid, Grid], points: Any, scale: float) -> float:
    """Of the points that can be followed, the share that moved as points of one smooth sheet do.

    `mesh`: its points in the square and in `second`. Where too few can be followed it is 1: paper that is turned out of
    sight must not pass for a head.
    """
    way, _ = _sheet(*mesh, 2.5 * _OFF / scale)
    everywhere = _terms(np.indices((_SIDE, _SIDE))[::-1].reshape(2, -1).T)
    most, share = 0, 1.0
    for _ in range(_BENDS):
        across, down = (everywhere @ way).astype(np.float32).T.reshape(2, _SIDE, _SIDE)
        laid = _evened(cv2.remap(second, across, down, cv2.INTER_LINEAR))
        there, sure = _found(flat, laid, points)
        if sure.mean() < _FOLLOWED:
            break
        way, off = _sheet(points[sure, 0], _terms(there[sure, 0]) @ way, _OFF / scale)
        fits = int((off < _OFF / scale).sum())
        if fits > most:
            most, share = fits, fits / int(sure.sum())
    return share


def _sheet(here: Grid, there: Grid, off: float) -> tuple[Any, Any]:
    """The smooth way from `here` to `there` that most points take, and how far each is off it."""
    terms = _terms(here)
    weights = np.ones(len(terms))
    for _ in range(15):  # towards the many, away from the few that move by themselves
        way = np.linalg.lstsq(terms * weights[:, None], there * weights[:, None], rcond=None)[0]
        missed = np.linalg.norm(terms @ way - there, axis=1)
        weights = 1 / np.sqrt(np.maximum(missed, off / 3))
    for within in (2.5, 2.5, 2.5, 1.5, 1.5, 1.5):
        fits = missed < within * off
        if fits.sum() < _FEWEST // 2:
            break
        way = np.linalg.lstsq(terms[fits], there[fits], rcond=None)[0]
        missed = np.linalg.norm(terms @ way - there, axis=1)
    return way, missed


def _terms(points: Any) -> Grid:
    """Of a smooth way: of the second order in across and down."""
    across, down = (np.asarray(points, float).T - _SIDE / 2) / (_SIDE / 2)
    return np.stack([np.ones_like(across), across, down, across * across, across * down, down * down], axis=1)


def _part(flat: Grid, laid: Grid, points: Grid, around: int) -> float:
    """How alike a part of the face is, wherever near its place it is most alike; −1 to 1."""
    left, top = (int(value) for value in np.maximum(points.min(axis=0) - around, 0))
    right, low = (int(value) for value in np.minimum(points.max(axis=0) + around, _SIDE))
    part = flat[top:low, left:right]
    if min(part.shape) < 3:
        return 1.0
    near = laid[max(top - _PLAY, 0) : low + _PLAY, max(left - _PLAY, 0) : right + _PLAY]
    return float(cv2.matchTemplate(near, part, cv2.TM_CCOEFF_NORMED).max())
