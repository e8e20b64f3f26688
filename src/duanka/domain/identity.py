"""Second verification on the holder's phone: challenge, frames, verdict, reasons.

A challenge is an unpredictable sequence of gestures for one order and one session, used once. Frames from the
holder's camera answer it. The verdict has two parts, and both must hold: a living face made the gestures in the
requested order, and it is the face on the document. This stops photographs, not an injected video.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from duanka.domain.errors import DuankaError
from duanka.domain.order import OrderError, State
from duanka.domain.text import WordedEnum

MOST_FRAMES, LEAST_FRAMES = 40, 16
UPLOAD = timedelta(minutes=5)  # extra time after a challenge for pictures whose digests were sent in time
_MAX_START_SECONDS, _MAX_END_SECONDS, _MAX_GAP_SECONDS = 1.0, 1.5, 1.5  # longest time without a frame
_CLOCK_SECONDS = 0.5  # seconds by which a recording may appear shorter to the server


class Gesture(WordedEnum):
    """A movement asked of the holder; left and right are the holder's own."""

    CLOSE_EYES = "close_eyes", "请闭上眼睛一秒钟，再睁开", "Close your eyes for a second, then open them"
    OPEN_MOUTH = "open_mouth", "请张大嘴巴", "Open your mouth wide"
    TURN_LEFT = "turn_left", "请把头向左转", "Turn your head to the left"
    TURN_RIGHT = "turn_right", "请把头向右转", "Turn your head to the right"


@dataclass(frozen=True)
class Step:
    """A gesture and its time, in seconds of the recording; before the first, the holder looks ahead."""

    gesture: Gesture
    begins: float
    ends: float


@dataclass(frozen=True)
class Challenge:
    """Single-use task of a session. `id`: random; frames must arrive by `expires_at`."""

    id: str
    order_id: str
    steps: tuple[Step, ...]
    drawn_at: datetime
    expires_at: datetime

    @property
    def seconds(self) -> float:
        """Length of the recording in seconds."""
        return self.steps[-1].ends


@dataclass(frozen=True)
class Frame:
    """A camera picture: sequence number from 0, seconds since the recording began, JPEG bytes."""

    order: int
    at: float
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True)
class FrameDigest:
    """Number, seconds and SHA-256 (hex) of a frame; sent in time, so the picture may arrive later."""

    order: int
    at: float
    sha256: str

    @classmethod
    def of(cls, frame: Frame) -> FrameDigest:
        """Return the digest of a frame."""
        return cls(frame.order, frame.at, hashlib.sha256(frame.jpeg).hexdigest())


class Outcome(WordedEnum):
    """Result of a check."""

    PASSED = "passed", "通过"
    REVIEW = "review", "待人工复核"  # a person must decide
    FAILED = "failed", "未通过"


class CheckReason(WordedEnum):
    """Why a check did not pass, or why frames were not checked."""

    # picture quality: shown with advice, not counted as a failure
    NO_FACE = "no_face", "画面中没有看到人脸，请正对镜头", "No face was seen. Look straight at the camera."
    TWO_FACES = (
        "two_faces",
        "画面中不止一张人脸，请只让本人入镜",
        "More than one face was seen. Be alone in the picture.",
    )
    TOO_SMALL = "too_small", "人脸太小，请把手机拿近一些", "Your face is too small. Hold the phone closer."
    BLACK = (
        "black",
        "画面是黑的，请检查镜头是否被遮住",
        "The picture is black. See whether the camera is covered.",
    )
    TOO_DARK = (
        "too_dark",
        "光线太暗，请到亮处，面向光源",
        "It is too dark. Go where it is bright, and face the light.",
    )
    TOO_BRIGHT = (
        "too_bright",
        "光线太强，请避开直射的灯光或阳光",
        "It is too bright. Turn away from the glare.",
    )
    BLURRED = (
        "blurred",
        "画面模糊，请擦净镜头，拿稳手机",
        "The picture is blurred. Clean the lens and hold still.",
    )
    # file
    CORRUPT = "corrupt", "图片损坏，无法读取，请重试", "A picture arrived damaged. Please try again."
    TOO_MANY_PIXELS = (
        "too_many_pixels",
        "图片尺寸过大，请用本页面拍摄",
        "A picture has too many pixels. Use this page to record.",
    )
    TOO_LARGE = (
        "too_large",
        "上传内容过大，请用本页面拍摄",
        "What was sent is too large. Use this page to record.",
    )
    # answer to the challenge
    # frames missing, out of order, or not within the time of the challenge
    OUT_OF_TIME = (
        "out_of_time",
        "画面不完整，或不在规定时间内拍摄，请重试",
        "Pictures are missing or were not taken within the time asked. Please try again.",
    )
    # the challenge had expired
    EXPIRED = (
        "expired",
        "本次动作要求已过期，请重新开始",
        "These instructions are out of date. Please start again.",
    )
    REPLAYED = (
        "replayed",
        "这组画面已经提交过，请重新拍摄",
        "These pictures were sent before. Please record again.",
    )
    OTHER_SESSION = (
        "other_session",
        "这组画面不属于本次核验，请重新拍摄",
        "These pictures belong to another session. Please record again.",
    )
    # another browser was first to give consent by this link
    OTHER_BROWSER = (
        "other_browser",
        "这个链接已在另一台手机或浏览器上开始使用，请在那里继续，或获取新链接",
        "This link is in use on another phone or browser. Go on there, or get a new link.",
    )
    # liveness
    STILL = "still", "画面没有动，请本人按提示做动作", "Nothing moved. Do yourself what the page asks."
    # moves as a whole, without parallax
    PHOTOGRAPH = (
        "photograph",
        "画面像是照片，请本人对着镜头",
        "This looks like a photograph. Be before the camera yourself.",
    )
    OTHER_GESTURES = (
        "other_gestures",
        "动作与提示不一致，请按提示的顺序做",
        "The movements were not those asked. Follow the order shown.",
    )
    FACE_CHANGED = (
        "face_changed",
        "中途换了人脸，请本人全程面对镜头",
        "The face changed on the way. Stay before the camera throughout.",
    )
    # person
    OTHER_PERSON = (
        "other_person",
        "与证件登记的人像不符",
        "The face does not match the registered document.",
    )
    UNSURE = "unsure", "系统不能确定，将由工作人员审核", "We are not sure. A person will look at it."
    # the policy requires a person to decide, however certain the check is
    POLICY = "policy", "按规定由工作人员复核", "A person will confirm it, as the rules ask."
    # failures on our side: never counted
    NO_REFERENCE = (
        "no_reference",
        "没有可比对的登记照片，请到营业厅办理",
        "There is no registered photo to compare with. Please go to a counter.",
    )
    LOST = "lost", "是我们的故障，请重试，本次不计次数", "That was our fault. Try again: it does not count."
    BUSY = (
        "busy",
        "正在核验的人很多，请稍候再试",
        "Many people are being verified. Please wait and try again.",
    )
    NOT_AVAILABLE = (
        "not_available",
        "目前不能在线核验，请到营业厅办理",
        "Online verification is not available. Please go to a counter.",
    )
    USED_UP = (
        "used_up",
        "在线核验的次数已用完，请到营业厅办理",
        "The tries online are used up. Please go to a counter.",
    )
    # a message was just sent, or today's number is used up
    TOO_SOON = (
        "too_soon",
        "短信刚刚发送过，请查看短信，稍后再试",
        "A message was sent a moment ago. Look for it, or try again later.",
    )


# Only these count as failures, as they say something about the person; the others ask to try again.
COUNTED = frozenset(
    {
        CheckReason.STILL,
        CheckReason.PHOTOGRAPH,
        CheckReason.OTHER_GESTURES,
        CheckReason.FACE_CHANGED,
        CheckReason.OTHER_PERSON,
    }
)


@dataclass(frozen=True)
class Verdict:
    """Result of a check. `similarity`: cosine of the faces, −1 to 1.

    `signals`: liveness measurements by name. `best`: number of the best frame, for a reviewer. `seconds`: CPU time.
    """

    outcome: Outcome
    reasons: tuple[CheckReason, ...] = ()
    similarity: float | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    best: int | None = None
    seconds: float = 0.0

    @property
    def counted(self) -> bool:
        """Whether it counts towards the failures that lead to the counter."""
        return self.outcome is Outcome.FAILED and bool(COUNTED.intersection(self.reasons))


@dataclass(frozen=True)
class Check:
    """Input of a check: frames that answer `steps`, and the registered photo.

    An empty photo: nobody is registered. The frames are judged all the same, and never pass.
    """

    order_id: str
    steps: tuple[Step, ...]
    reference: bytes = field(repr=False)
    frames: tuple[Frame, ...] = field(repr=False)


class CheckRefused(OrderError):
    """A challenge or frames are not accepted; `reason`, `wait`: seconds until a retry."""

    def __init__(self, reason: CheckReason, wait: int = 0) -> None:
        super().__init__(reason.words.en)
        self.reason, self.wait = reason, wait


class ReferenceUnusable(DuankaError):
    """The registered photo shows no face, several or a small one; verification goes to the counter."""


class CheckerDown(DuankaError):
    """The check supplier does not answer; not counted as the holder's failure."""


def in_time(
    steps: Sequence[Step], frames: Sequence[Frame] | Sequence[FrameDigest], recorded_within: float
) -> bool:
    """Whether the frames cover the challenge in order and without gap, within `recorded_within` seconds."""
    if not LEAST_FRAMES <= len(frames) <= MOST_FRAMES:
        return False
    times = [frame.at for frame in frames]
    length = steps[-1].ends
    return (
        all(map(math.isfinite, times))
        and [frame.order for frame in frames] == list(range(len(frames)))
        and 0 <= times[0] <= _MAX_START_SECONDS
        and all(0 < after - before <= _MAX_GAP_SECONDS for before, after in pairwise(times))
        and length - _MAX_END_SECONDS <= times[-1] <= recorded_within + _CLOCK_SECONDS
    )


@dataclass(frozen=True)
class QueuePlace:
    """Position in the queue: `place` checks come first; the result is due in about `seconds`."""

    place: int
    seconds: float


@dataclass(frozen=True)
class Consent:
    """A holder's consent. `words`: digest of the texts shown.

    `disowns`: they declared, instead of reading the legal notice, that the number is not theirs.
    """

    face_data: bool
    legal_notice: bool
    words: str
    disowns: bool = False

    @property
    def given(self) -> bool:
        """Whether a check may begin."""
        return self.face_data and (self.legal_notice or self.disowns)


class MalformedOrderNumber(OrderError):
    """What was typed is no order number, whatever orders there are."""


@dataclass(frozen=True)
class UnlinkedNumbers:
    """A number and the order number of a notice, as somebody typed them. `card`: as E.164 without `+`."""

    card: str = field(repr=False)
    order_id: str

    @classmethod
    def typed(cls, card: str, order_id: str) -> UnlinkedNumbers:
        """Parse them; MalformedOrderNumber: it is not the number of a verification or a stop."""
        plain = unicodedata.normalize("NFKC", order_id).upper().translate(_NOT_READ_ALOUD)
        letters = plain[1:].translate(_ALIKE)
        if not re.fullmatch("[VR][0-9A-HJKMNP-TV-Z]{12}", plain[:1] + letters):
            raise MalformedOrderNumber(
                "the order number stands in the notice: V or R, then 12 letters and digits, like V0123456789AB"
            )
        return cls(card, plain[:1] + letters)


# What separates the groups of a number that was read aloud, and what Crockford's letters take for each other.
_NOT_READ_ALOUD = {ord(mark): None for mark in " \t-‐–—._·"}
_ALIKE = str.maketrans("OIL", "011")


@dataclass(frozen=True)
class Session:
    """One holder at one verification, from consent on. `token`: given once, to the holder's page.

    `disowns`: who passes in it is the registrant, and disowns the number. `unlinked`: begun without a link, by number
    and order number; `order_id` and `card` are then the session's own id, so that nothing done in it concerns another.
    """

    id: str
    order_id: str
    card: str
    tier: str
    expires_at: datetime
    token: str = field(default="", repr=False)
    disowns: bool = False
    unlinked: bool = False


class SessionStage(StrEnum):
    """Stage of a session."""

    READY = "ready"  # may request a challenge
    WAITING = "waiting"  # frames are being checked
    AGAIN = "again"  # may retry
    REVIEW = "review"
    PASSED = "passed"
    DISOWNED = "disowned"  # the registrant said that the number is not theirs
    COUNTER = "counter"


@dataclass(frozen=True)
class VerificationProgress:
    """Progress of a verification, for its holder. `left`: failures still allowed."""

    stage: SessionStage
    state: State
    left: int
    reasons: tuple[CheckReason, ...] = ()
    waiting: QueuePlace | None = None
