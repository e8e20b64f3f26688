"""Face measurements of one picture: faces, light, direction, eyes and mouth.

One engine per thread and process: its models crash when shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from duanka.identity.embedded.images import Picture
from duanka.identity.embedded.measurements import FaceMeasurements
from duanka.identity.embedded.weights import weights

Points = np.ndarray[Any, np.dtype[Any]]  # n points (x y or x y z) in pixels of the picture

_MIN_FACE_SCORE = 0.75  # YuNet score from which a detection counts as a face
_SECOND_FACE_WIDTH = 0.5  # of the largest face's, from which a second one counts; excludes distant posters
_MIN_PICTURE_PIXELS, _MIN_FACE_PIXELS = 32, 16  # pixels, below which the detector returns false faces
_MESH_PIXELS, _EYE_PIXELS, _LIGHT_PIXELS = 192, 64, 96  # input size of the models in pixels
_MESH_AROUND, _EYE_AROUND = 1.5, 2.3  # crop relative to the width of face and eye, as in MediaPipe
# face mesh points: corners of the eyes, lips, cheeks
_RIGHT_EYE, _LEFT_EYE = (33, 133), (362, 263)
_UPPER_LIP, _LOWER_LIP, _MOUTH = 13, 14, (78, 308)
_CHEEKS = (234, 454)
# iris model points of the eye contour
_LOWER_LID, _UPPER_LID, _EYE_CORNERS = slice(1, 8), slice(9, 16), (0, 8)


class FaceEngine:
    """YuNet, SFace, face mesh and iris models, on one core. Raises WeightsMissing."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._faces = cv2.FaceDetectorYN.create(str(weights("yunet")), "", (320, 320), _MIN_FACE_SCORE)
        self._face = cv2.FaceRecognizerSF.create(str(weights("sface")), "")
        self._mesh, self._iris = _Model("mesh"), _Model("iris")

    def see(self, picture: Picture) -> FaceMeasurements:
        """Measure one picture."""
        found = self._detect(picture)
        if not found:
            return FaceMeasurements(0, float(picture.mean()))
        largest = max(found, key=lambda row: row[2])
        matter = sum(row[2] >= _SECOND_FACE_WIDTH * largest[2] for row in found)
        x, y, width, height = (float(value) for value in largest[:4])
        grey = cv2.cvtColor(_cut(picture, (x, y, width, height)), cv2.COLOR_BGR2GRAY)
        grey = cv2.resize(grey, (_LIGHT_PIXELS, _LIGHT_PIXELS), interpolation=cv2.INTER_AREA)
        tilt = float(np.arctan2(largest[7] - largest[5], largest[6] - largest[4]))
        mesh = self._landmarks(picture, (x + width / 2, y + height / 2), max(width, height), tilt)
        across = mesh[_CHEEKS[1]] - mesh[_CHEEKS[0]]
        lips, corners = mesh[_LOWER_LIP] - mesh[_UPPER_LIP], mesh[_MOUTH[1]] - mesh[_MOUTH[0]]
        eyes = [self._eye(picture, mesh, corner, tilt) for corner in (_RIGHT_EYE, _LEFT_EYE)]
        return FaceMeasurements(
            faces=int(matter),
            luminance=float(grey.mean()),
            box=(x, y, width, height),
            sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()),
            eyes=sum(eyes) / 2,
            mouth=float(np.linalg.norm(lips)) / max(float(np.linalg.norm(corners)), 1e-6),
            yaw=float(np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1])))),
            found=largest,
            mesh=mesh,
        )

    def embed(self, picture: Picture, seen: FaceMeasurements) -> Any:
        """Return the face as a unit vector; the cosine of two measures their similarity."""
        aligned = self._face.alignCrop(picture, seen.found)
        vector = self._face.feature(aligned).ravel().astype(np.float64)
        return vector / max(float(np.linalg.norm(vector)), 1e-9)

    def _detect(self, picture: Picture) -> Sequence[Any]:
        height, width = picture.shape[:2]
        if min(height, width) < _MIN_PICTURE_PIXELS:
            return ()
        self._faces.setInputSize((width, height))
        found: Any = self._faces.detect(picture)[1]  # None if there is no face
        return (
            ()
            if found is None
            else [row for row in found if np.isfinite(row).all() and row[2] >= _MIN_FACE_PIXELS]
        )

    def _landmarks(self, picture: Picture, centre: tuple[float, float], size: float, tilt: float) -> Points:
        cut, back = _crop_upright(picture, centre, _MESH_AROUND * size, tilt, _MESH_PIXELS)
        mesh = self._mesh.run(cut)
        mesh[:, :2] = mesh[:, :2] @ back[:, :2].T + back[:, 2]
        mesh[:, 2] *= _MESH_AROUND * size / _MESH_PIXELS
        return mesh

    def _eye(self, picture: Picture, mesh: Points, corners: tuple[int, int], tilt: float) -> float:
        """Return the mean height of the eye opening relative to its width."""
        one, other = mesh[corners[0], :2], mesh[corners[1], :2]
        middle, width = (one + other) / 2, float(np.linalg.norm(other - one))
        cut, _ = _crop_upright(
            picture, (middle[0], middle[1]), _EYE_AROUND * max(width, 1.0), tilt, _EYE_PIXELS
        )
        if corners == _LEFT_EYE:  # the model is trained on the other eye
            cut = np.ascontiguousarray(cut[:, :, ::-1])
        contour = self._iris.run(cut)
        opening = float(np.mean(contour[_LOWER_LID, 1] - contour[_UPPER_LID, 1]))
        return opening / max(abs(float(contour[_EYE_CORNERS[1], 0] - contour[_EYE_CORNERS[0], 0])), 1e-6)


class _Model:
    """A TensorFlow Lite model; its largest output is points of x, y, z."""

    def __init__(self, which: str) -> None:
        self._model = Interpreter(model_path=str(weights(which)), num_threads=1)
        self._model.allocate_tensors()
        self._into = self._model.get_input_details()[0]["index"]
        outputs = self._model.get_output_details()
        self._out = max(outputs, key=lambda one: int(np.prod(one["shape"])))["index"]

    def run(self, cut: Any) -> Points:
        self._model.set_tensor(self._into, cut)
        self._model.invoke()
        points: Points = self._model.get_tensor(self._out).reshape(-1, 3).copy()
        return points


def _cut(picture: Picture, box: tuple[float, float, float, float]) -> Any:
    x, y, width, height = (int(value) for value in box)
    top, left = max(y, 0), max(x, 0)
    cut = picture[top : max(y + height, top + 2), left : max(x + width, left + 2)]
    return cut if cut.size else picture


def _crop_upright(
    picture: Picture, centre: tuple[float, float], size: float, tilt: float, pixels: int
) -> tuple[Any, Any]:
    """Crop an upright square around `centre`; return it and the transform back."""
    scale = pixels / size
    cos, sin = np.cos(-tilt) * scale, np.sin(-tilt) * scale
    x, y = centre
    way = np.array([[cos, -sin, pixels / 2 - cos * x + sin * y], [sin, cos, pixels / 2 - sin * x - cos * y]])
    cut = cv2.cvtColor(cv2.warpAffine(picture, way, (pixels, pixels)), cv2.COLOR_BGR2RGB)
    return cut.astype(np.float32)[None] / 255, cv2.invertAffineTransform(way)
