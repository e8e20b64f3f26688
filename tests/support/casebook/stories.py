"""The published cases as records: what each card did, as the press told it. Numbers, places and people are invented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from support.casebook.diary import FIRST, LAST, Diary, days, numbers, on

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
_PHONES = [f"86901{n:09}" for n in range(1, 60)]
Tell = Callable[[Diary], None]


@dataclass(frozen=True)
class Story:
    """A published case. `name`: of its folder; `told`: as the press told it; `went_wrong`: for the holder."""

    name: str
    told: str
    went_wrong: str
    card: str
    diaries: Callable[[], list[Diary]]


def _card(number: int) -> str:
    return f"8619900000{number:03}"


def _diary(number: int, city: str) -> Diary:
    return Diary(_card(number), city, _PHONES[number])


def _lawyer() -> list[Diary]:
    """A lawyer of Chengdu in another city: 24 calls to one office in a morning, two answered; the next day again."""
    told = _diary(1, "510100").registered(on(5, 3).replace(year=2012))
    people = numbers("13551", 9)
    told.lives(FIRST, on(5, 23).date(), people)
    told.where, told.cell = "110100", "11010000007"
    for day in (24, 25):
        for n in range(24):
            told.call(on(5, day, "09:00") + 2 * n * MINUTE, "861065550100", 45, answered=n in (11, 23))
    told.call(on(5, 24, "19:30"), people[0], 400)
    told.call(on(5, 25, "19:40"), people[0], 300)
    for online in days(on(5, 24), on(5, 27)):
        told.data(online, 700)
    told.lives(on(5, 26).date(), on(5, 28).date(), people)
    told.where, told.cell = "510100", "51010000001"
    told.lives(on(5, 29).date(), LAST, people)
    return [told]


def _woman_in_shanghai() -> list[Diary]:
    """Works at home over Wi-Fi and calls by internet: no call at all, but codes of shops before a sale."""
    told = _diary(2, "310100").registered(on(3, 9).replace(year=2016))
    shops = [f"1069{n:04}" for n in range(12)]
    told.lives(FIRST, on(5, 16).date(), numbers("13651", 6), data=30)
    for n, day in enumerate(days(on(5, 17), LAST)):
        told.data(day, 4)
        told.seen(on(day.month, day.day, "08:10"))
        for k in range(8 if n in (9, 10, 16, 17, 18, 23) else 1):
            told.message(on(day.month, day.day, "20:00") + 7 * k * MINUTE, shops[(n + k) % 12])
    return [told]


def _customer_in_sichuan() -> list[Diary]:
    """A broken telephone: some days in a loaner of the repair shop, in which three other customers' cards were."""
    told = _diary(3, "510700").registered(on(6, 1).replace(year=2018))
    people, loaner = numbers("13881", 7), "86902000000001"
    others = [_diary(40 + n, "510700").registered(on(6, 1).replace(year=2017)) for n in range(3)]
    own = [other.phone for other in others]
    told.lives(FIRST, on(5, 23).date(), people)
    for n, other in enumerate(others):
        circle = numbers(f"1389{n}", 6)
        other.lives(FIRST, on(5, 7 + 4 * n).date(), circle)
        other.phone = loaner
        other.lives(on(5, 8 + 4 * n).date(), on(5, 11 + 4 * n).date(), circle)
        other.phone = own[n]
        other.lives(on(5, 12 + 4 * n).date(), LAST, circle)
    told.phone = loaner
    told.lives(on(5, 24).date(), on(5, 28).date(), people)
    told.phone = "86903000000001"  # the old one could not be mended
    told.lives(on(5, 29).date(), LAST, people)
    return [told, *others]


def _traveller() -> list[Diary]:
    """Twelve days in Nepal: calls home, data over the networks there, then home again."""
    told = _diary(4, "440300").registered(on(9, 4).replace(year=2014))
    people = numbers("13751", 8)
    told.lives(FIRST, on(5, 19).date(), people)
    told.where, told.cell = "980524", "98052400003"
    told.lives(on(5, 20).date(), on(5, 31).date(), people, calls=1, data=40)
    told.where, told.cell = "440300", "44030000001"
    told.lives(on(6, 1).date(), LAST, people)
    return [told]


def _watch() -> list[Diary]:
    """A child's watch on a second card of its parent: used for years, then a month in a drawer."""
    parent = _diary(5, "110100").registered(on(2, 1).replace(year=2015))
    people, holder = numbers("13651", 9), "invented-0005"
    parent.rows["cards"][0]["holder"] = holder
    parent.lives(FIRST, LAST, people)
    told = _diary(6, "110100").registered(on(9, 1).replace(year=2019), holder=holder)
    told.lives(FIRST, on(5, 9).date(), [parent.card, people[0]], calls=2, data=2)
    return [told, parent]


def _new_watch() -> list[Diary]:
    """The same, but the card was opened for a watch that is to be a birthday present five weeks later."""
    parent = _diary(7, "110100").registered(on(2, 1).replace(year=2015))
    people, holder = numbers("13661", 9), "invented-0007"
    parent.rows["cards"][0]["holder"] = holder
    parent.lives(FIRST, LAST, people)
    told = _diary(8, "110100").registered(on(5, 4, "15:30"), holder=holder)
    told.lives(on(6, 9).date(), LAST, [parent.card, people[0]], calls=2, data=2)
    return [told, parent]


def _intern() -> list[Diary]:
    """An intern's Jiangsu card in Shanghai: calls back customers who left their number with the firm."""
    told = _diary(9, "320500").registered(on(8, 20).replace(year=2019))
    people, customers = numbers("13951", 8), numbers("15221", 400)
    told.lives(FIRST, on(5, 16).date(), people)
    told.where, told.cell = "310100", "31010000004"
    at = 0
    for day in days(on(5, 17), LAST):
        if day.weekday() < 5:
            for k in range(18):
                begins = on(day.month, day.day, "09:30") + 22 * k * MINUTE
                told.call(begins, customers[at], 50, answered=k % 5 in (0, 2))
                if k % 13 == 5:  # few call a number back that they do not know
                    told.call(begins + 40 * MINUTE, customers[at], 90, "in")
                at += 1
        told.call(on(day.month, day.day, "19:15"), people[day.day % 8], 240)
        told.call(on(day.month, day.day, "20:30"), people[day.day % 5], 180, "in")
        told.data(day, 500)
    return [told]


def _teacher() -> list[Diary]:
    """The first week of a new class: in the evenings a teacher calls the parents of 45 children, who seldom answer.

    On the first evening fewer than on the second: what is asked after the first must not be asked again, or elsewhere,
    after the second.
    """
    told = _diary(10, "320100").registered(on(7, 2).replace(year=2011))
    people, parents = numbers("13851", 9), numbers("15950", 90)
    told.lives(FIRST, on(5, 23).date(), people)
    for n, day in enumerate(days(on(5, 24), on(5, 28))):
        begins = on(day.month, day.day, "17:00")
        for k in range((40, 56, 56, 30, 30)[n]):
            at = begins + timedelta(minutes=4 * k)
            told.call(at, parents[(30 * n + k) % 90], 80, answered=k % 5 in (1, 4))
        for k in range(4):
            told.call(on(day.month, day.day, "12:10") + 9 * k * MINUTE, parents[20 * n + k], 120, "in")
        told.data(day, 250)
    told.lives(on(5, 29).date(), LAST, people)
    return [told]


def _restaurant() -> list[Diary]:
    """A restaurant takes orders by telephone; on the days of a feast it calls guests and riders without pause."""
    told = _diary(11, "420100").registered(on(1, 5).replace(year=2017))
    guests, riders = numbers("15871", 900), numbers("13071", 6)
    told.lives(FIRST, on(5, 30).date(), riders)
    for n, day in enumerate(days(on(5, 31), LAST)):
        busy = day in days(on(6, 7), on(6, 9))
        for k in range(70 if busy else 18):
            at = on(day.month, day.day, "10:30") + timedelta(minutes=(8 if busy else 30) * k)
            told.call(at, guests[(20 * n + k) % 900], 60, "in", answered=k % 6 != 5)
        for k in range(66 if busy else 8):
            at = on(day.month, day.day, "10:45") + timedelta(minutes=(1 if busy else 60) * k)
            told.call(at, riders[k % 6] if k % 2 else guests[(20 * n + k) % 900], 30, answered=k % 4 != 0)
        told.data(day, 150)
    return [told]


def _silent_then_foreign(number: int, city: str, abroad: str) -> Callable[[], list[Diary]]:
    def tell() -> list[Diary]:
        told = _diary(number, city)
        told.registered(on(4, 6).replace(year=2016), last_used_at=on(2, 20, "18:00"))
        told.message(on(5, 27, "09:12"), "10086")
        told.call(on(5, 27, "09:40"), numbers("15987", 3)[0], 35)
        told.call(on(6, 2, "21:05"), abroad, 190, "in")
        told.lives(on(6, 3).date(), LAST, numbers("15987", 6), calls=2, data=60)
        return [told]

    return tell


def _hardly_used() -> list[Diary]:
    """A second number that is kept for banks: a call and some messages in six weeks, the last use before in April."""
    told = _diary(14, "310100")
    told.registered(on(2, 2).replace(year=2010), last_used_at=on(4, 12, "10:00"))
    told.message(on(5, 21, "10:05"), "95588")
    told.call(on(5, 21, "10:15"), "95588", 300)
    told.message(on(6, 8, "11:30"), "95588")
    return [told]


def _not_mine() -> list[Diary]:
    """A number that somebody opened in the name of another: codes of many platforms, and next to no call."""
    told = _diary(15, "460100").registered(on(5, 10, "11:00"), holder="invented-0015")
    told.call(on(5, 10, "12:00"), "86177000000", 20)
    told.data(on(5, 10).date(), 5)
    platforms = [f"1069{n:04}" for n in range(200, 240)]
    for n, day in enumerate(days(on(5, 20), LAST)):
        for k in range(14):
            told.message(on(day.month, day.day, "09:00") + 35 * k * MINUTE, platforms[(5 * n + k) % 40])
    real = _diary(16, "310100").registered(on(3, 3).replace(year=2009), holder="invented-0015")
    real.lives(FIRST, LAST, numbers("13601", 9))
    return [told, real]


STORIES: Mapping[str, Story] = {
    story.name: story
    for story in (
        Story(
            "sichuan_lawyer",
            "20 calls and more to one government number, two or three answered, away from home",
            "stopped 63 seconds after the notice; only the counter of the home city, 1,000 km away",
            _card(1),
            _lawyer,
        ),
        Story(
            "shanghai_woman",
            "no call at all that day",
            "stopped 10 minutes after the notice; checks online and at the counter fail; never told why",
            _card(2),
            _woman_in_shanghai,
        ),
        Story(
            "sichuan_customer",
            "“one of these nine reasons”",
            "24 hours' notice and an online way, but no concrete reason",
            _card(3),
            _customer_in_sichuan,
        ),
        Story(
            "nepal_traveller",
            "abroad",
            "eight days without the number; asked for data only, and was refused",
            _card(4),
            _traveller,
        ),
        Story(
            "childs_watch",
            "a secondary card unused for a month",
            "a fee charged while stopped; “abnormal frequency” defined nowhere",
            _card(6),
            _watch,
        ),
        Story(
            "childs_new_watch",
            "a secondary card not used yet, a month after it was opened",
            "as above",
            _card(8),
            _new_watch,
        ),
        Story(
            "intern",
            "call-backs to customers, with a Jiangsu card in Shanghai",
            "the app refuses; four days",
            _card(9),
            _intern,
        ),
        Story(
            "class_teacher",
            "calls to the parents of a new class",
            "stopped during the busiest week",
            _card(10),
            _teacher,
        ),
        Story(
            "restaurant_owner",
            "many orders coming in",
            "stopped during the busiest week",
            _card(11),
            _restaurant,
        ),
        Story(
            "yunnan_woman",
            "first “long silent”, then “a foreign call”",
            "contradicting reasons; incoming calls barred too",
            _card(12),
            _silent_then_foreign(12, "532500", "959790000001"),
        ),
        Story(
            "harbin_man",
            "first “long silent”, then “a foreign call”",
            "contradicting reasons; incoming calls barred too",
            _card(13),
            _silent_then_foreign(13, "230100", "74232000001"),
        ),
        Story(
            "shanghai_man",
            "“hardly used”",
            "the operator “cannot tell” the reason; two years of suits",
            _card(14),
            _hardly_used,
        ),
        Story(
            "not_mine",
            "opened in the name of another (Singapore: about 80% of misused cards)",
            "the person in whose name it is registered is asked, or blamed, for what others did",
            _card(15),
            _not_mine,
        ),
    )
}
