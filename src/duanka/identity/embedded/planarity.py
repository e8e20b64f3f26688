"""Planarity: tells a moved photograph of a face from a moving face.

A photograph stays a plane however it is turned; a face does not. The face mesh alone is not enough: it fits
a face to everything, and reads tilted paper as a turned head. So the second picture is aligned with the first
by a plane transform, and what does not fit is measured. A turning head moves its nose against its cheeks;
moving lips and lids do not fit the plane. Paper bent round a roll is no plane but is smooth and has no nose:
a smooth sheet is fitted likewise.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from duanka.identity.embedded.images import Picture
from duanka.identity.embedded.measurements import FaceMeasurements, PlanarityScores

Grid = np.ndarray[Any, np.dtype[Any]]

_SIDE_PIXELS = 128  # side in pixels of the square in which faces are compared
_EYES = (([33, 133, 159, 145], 3), ([362, 263, 386, 374], 3))  # mesh points, margin in pixels
_MOUTH = ([61, 291, 0, 17, 13, 14], 4)
_PLAY = 5  # pixels by which a part may differ from its position in the plane: paper bends
_MAX_POINTS, _MIN_POINTS = 200, 20  # points tracked between the pictures; with fewer there is no result
_TOLERANCE_PIXELS = 1.2  # tolerance in pixels for a point of a plane
_BLUR_PIXELS = 8  # pixels around, over which light and contrast are normalised
_SHEET_ITERATIONS = 3  # iterations of fitting a sheet
_MIN_TRACKED_SHARE = 0.25  # of the points; with fewer there is no result for a sheet


def alike(
    first: Picture, seen: FaceMeasurements, second: Picture, later: FaceMeasurements
) -> PlanarityScores:
    """Compare two faces after alignment; pictures that cannot be tracked score 1."""
    mesh: Grid = seen.mesh[:, :2].astype(np.float32)
    corner, far = mesh.min(axis=0), mesh.max(axis=0)
    scale = _SIDE_PIXELS / max(float((far - corner).max()), 1.0)
    points = (mesh - corner) * scale
    into = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]], [0, 0, 1]])
    flat = _even(first, into)
    over: Any = cv2.findHomography(later.mesh[:, :2].astype(np.float32), points)[0]
    tracked: Any = cv2.goodFeaturesToTrack(flat, _MAX_POINTS, 0.005, 3, mask=_inside(points))
    if over is None or tracked is None or len(tracked) < _MIN_POINTS:
        return PlanarityScores(1.0, 1.0, 1.0, 1.0)
    bent = _bent(flat, second, (points, later.mesh[:, :2]), tracked, scale)
    plane = 0.0
    for _ in range(2):  # the mesh gives a first estimate, tracked points refine it
        share, closer = _followed(flat, _even(second, over), tracked)
        if closer is None:
            break
        plane, over = share, closer @ over
    laid = _even(second, over)
    eyes = min(_part(flat, laid, points[which], around) for which, around in _EYES)
    return PlanarityScores(plane, eyes, _part(flat, laid, points[_MOUTH[0]], _MOUTH[1]), bent)


def _even(picture: Picture, way: Any) -> Grid:
    """Return the face warped by a plane transform, normalised."""
    return _evened(cv2.warpPerspective(picture, way, (_SIDE_PIXELS, _SIDE_PIXELS)))


def _evened(face: Picture) -> Grid:
    """Return grey values normalised for light: a turned photograph reflects differently."""
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0).astype(np.float32)
    detail = smooth - cv2.GaussianBlur(smooth, (0, 0), _BLUR_PIXELS)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _BLUR_PIXELS)) + 4
    evened: Grid = np.clip(detail / contrast * 45 + 128, 0, 255).astype(np.uint8)
    return evened


def _inside(points: Grid) -> Grid:
    mask = np.zeros((_SIDE_PIXELS, _SIDE_PIXELS), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), (255,))
    return cv2.erode(mask, np.ones((9, 9), np.uint8))


def _followed(flat: Grid, moved: Grid, points: Any) -> tuple[float, Any]:
    """Return the share of points moving as one plane, and its transform, if any."""
    there, sure = _found(flat, moved, points)
    if sure.sum() < _MIN_POINTS // 2:
        return 0.0, None
    cv2.setRNGSeed(1)  # deterministic: the same frames get the same verdict
    way: Any
    way, fits = cv2.findHomography(there[sure], points[sure], cv2.RANSAC, _TOLERANCE_PIXELS)
    return (0.0, None) if way is None else (float(fits.sum()) / len(points), way)


def _found(flat: Grid, moved: Grid, points: Any) -> tuple[Any, Any]:
    """Track points; return their positions and which also track back to their origin."""
    there, found, _ = cv2.calcOpticalFlowPyrLK(flat, moved, points, np.empty_like(points), winSize=(15, 15))
    back, again, _ = cv2.calcOpticalFlowPyrLK(moved, flat, there, np.empty_like(points), winSize=(15, 15))
    near = np.linalg.norm(back - points, axis=2).ravel() < 1
    return there, (found.ravel() > 0) & (again.ravel() > 0) & near


def _bent(flat: Grid, second: Picture, mesh: tuple[Grid, Grid], points: Any, scale: float) -> float:
    """Return the share of the tracked points that moved like one smooth sheet.

    `mesh`: the face's points in the square and in `second`. With too few tracked points the share is 1: paper
    that is turned out of sight must not pass for a head.
    """
    way, _ = _sheet(*mesh, 2.5 * _TOLERANCE_PIXELS / scale)
    everywhere = _terms(np.indices((_SIDE_PIXELS, _SIDE_PIXELS))[::-1].reshape(2, -1).T)
    most, share = 0, 1.0
    for _ in range(_SHEET_ITERATIONS):
        across, down = (everywhere @ way).astype(np.float32).T.reshape(2, _SIDE_PIXELS, _SIDE_PIXELS)
        laid = _evened(cv2.remap(second, across, down, cv2.INTER_LINEAR))
        there, sure = _found(flat, laid, points)
        if sure.mean() < _MIN_TRACKED_SHARE:
            break
        way, off = _sheet(points[sure, 0], _terms(there[sure, 0]) @ way, _TOLERANCE_PIXELS / scale)
        fits = int((off < _TOLERANCE_PIXELS / scale).sum())
        if fits > most:
            most, share = fits, fits / int(sure.sum())
    return share


def _sheet(here: Grid, there: Grid, off: float) -> tuple[Any, Any]:
    """Robustly fit a smooth map from `here` to `there`; return it and each point's error."""
    terms = _terms(here)
    weights = np.ones(len(terms))
    for _ in range(15):  # reweighted in each iteration: points far off the map count less
        way = np.linalg.lstsq(terms * weights[:, None], there * weights[:, None], rcond=None)[0]
        missed = np.linalg.norm(terms @ way - there, axis=1)
        weights = 1 / np.sqrt(np.maximum(missed, off / 3))
    for within in (2.5, 2.5, 2.5, 1.5, 1.5, 1.5):
        fits = missed < within * off
        if fits.sum() < _MIN_POINTS // 2:
            break
        way = np.linalg.lstsq(terms[fits], there[fits], rcond=None)[0]
        missed = np.linalg.norm(terms @ way - there, axis=1)
    return way, missed


def _terms(points: Any) -> Grid:
    """Return the terms of a second-order polynomial of the coordinates."""
    across, down = (np.asarray(points, float).T - _SIDE_PIXELS / 2) / (_SIDE_PIXELS / 2)
    return np.stack([np.ones_like(across), across, down, across * across, across * down, down * down], axis=1)


def _part(flat: Grid, laid: Grid, points: Grid, around: int) -> float:
    """Return the best similarity of a face part near its place; −1 to 1."""
    left, top = (int(value) for value in np.maximum(points.min(axis=0) - around, 0))
    right, low = (int(value) for value in np.minimum(points.max(axis=0) + around, _SIDE_PIXELS))
    part = flat[top:low, left:right]
    if min(part.shape) < 3:
        return 1.0
    near = laid[max(top - _PLAY, 0) : low + _PLAY, max(left - _PLAY, 0) : right + _PLAY]
    return float(cv2.matchTemplate(near, part, cv2.TM_CCOEFF_NORMED).max())
