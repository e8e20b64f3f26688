"""Policy of second verification: thresholds, attempts, review, picture retention."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.domain.text import BilingualText


@dataclass(frozen=True)
class IdentityPolicy:
    """Thresholds of face match and liveness, and rules of online verification.

    Angles in degrees. A cosine of at least `similarity` passes; from `review` to there, a person decides.
    `eyes`: fall of the eye opening against its median; `mouth`: opening relative to its width; `turn`: turn
    of the head against its median. Luminance is 0 to 255, `sharpness` the variance of the face's Laplacian.
    `unlinked_tries`, `unlinked_card`, `unlinked_address`: challenges that may be drawn within 24 hours without a link,
    for one verification from one address, for one verification, from one address. The first and the last also bound
    the order numbers that lead nowhere which one person types at counters out of their scope, for a card and in all.
    """

    similarity: float = 0.45
    review: float = 0.36
    face_pixels: int = 80
    eyes: float = 0.55
    mouth: float = 0.22
    turn: float = 11.0
    darkest: float = 45.0
    brightest: float = 225.0
    sharpness: float = 25.0
    gestures: int = 3
    step_seconds: float = 2.0
    challenge_seconds: float = 60.0
    failures: int = 3
    challenges: int = 8
    session_minutes: float = 60.0
    unlinked_tries: int = 4
    unlinked_card: int = 12
    unlinked_address: int = 24
    review_tiers: tuple[str, ...] = ("high",)
    counter_tiers: tuple[str, ...] = ("extreme",)
    second_person_tiers: tuple[str, ...] = ("high", "extreme")
    keep_hours: float = 0.0
    face_consent: BilingualText = BilingualText(
        "为核验您是否为本号码的登记人，我们将采集您的人脸画面，与实名登记照片比对。画面只用于本次核验，核验工单办结后即删除，"
        "不作他用。您可以不同意：请改到营业厅办理，不会因此停机。",
        "To see whether you are the person who registered this number, we record your face and compare it with the"
        " registered photo. The pictures serve this verification only and are deleted when it is closed. You may say"
        " no: go to a counter instead, and nothing is stopped for it.",
    )
    legal_notice: BilingualText = BilingualText(
        "出租、出售、出借、转让电话卡，或帮助他人实施电信网络诈骗，可能被限制入网、列入惩戒名单，构成犯罪的依法追究刑事责任"
        "（《反电信网络诈骗法》第三十一条、第三十八条、第四十四条）。",
        "Renting out, selling, lending or passing on phone cards, or helping others to defraud by telephone or network,"
        " can lead to bans, to penalties and to prosecution (Law against Telecom and Network Fraud, arts. 31, 38, 44).",
    )
