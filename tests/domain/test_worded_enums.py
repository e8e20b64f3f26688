"""Words of states and the like stand once, beside the enum: each in Chinese and in English."""

from __future__ import annotations

import re

import pytest

from duanka.casework.clues.dossier.model import FactSource
from duanka.casework.clues.files.manifest import ManifestFault
from duanka.casework.figures import CaseworkFigure, FigureGroup
from duanka.domain.age_band import AgeBand
from duanka.domain.assessment import FigureShape, Measure, UnitKind
from duanka.domain.billing import BillingEvent
from duanka.domain.bulk_action import BulkActionState
from duanka.domain.card_age import CardAge
from duanka.domain.card_facts import UseKind
from duanka.domain.case_file import CaseOutcome, CaseState, GroundKind, ItemKind
from duanka.domain.clue import ClueEvent, ClueState, Standing
from duanka.domain.counter_check import Document
from duanka.domain.decision import Tier
from duanka.domain.evidence import Evidence
from duanka.domain.fraud_kind import FraudKind
from duanka.domain.headline import Certainty, FigureSplit, HeadlineFigure
from duanka.domain.identity import CheckReason, Gesture
from duanka.domain.identity import Outcome as CheckOutcome
from duanka.domain.linked_accounts import (
    AccountGround,
    PlatformState,
    RequestKind,
    RequestState,
    SentKind,
    TransportKind,
)
from duanka.domain.listing import ListingEvent, ListingState
from duanka.domain.network import Carried, LossCause, NetworkState, RefusalReason
from duanka.domain.objection import Channel
from duanka.domain.order import Event, Kind, State
from duanka.domain.order_decision import RequestedAction
from duanka.domain.person import Role
from duanka.domain.policy import Deciding
from duanka.domain.record_lookups import BasisKind, Usage
from duanka.domain.rings import DeviceRole, LinkKind, RingRole
from duanka.domain.rule import Action, Grade, Window
from duanka.domain.sign_in import CredentialKind, SessionEnd
from duanka.domain.streaming import Change
from duanka.domain.streaming import LiveReason as LiveRefused
from duanka.domain.takedown import IndicatorKind, ItemState
from duanka.domain.text import BilingualText, WordedEnum
from duanka.domain.victims import (
    CallOutcome,
    CallState,
    DangerSign,
    Exclusion,
    MessageKind,
    MessageOutcome,
    VictimOrigin,
    WorklistState,
)
from duanka.ingest.guessing.proposal import Sureness
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ledger.people.requests import PersonProposal as AskedOfPersons
from duanka.ledger.people.requests import RequestOutcome
from duanka.ledger.people.sealed_proposals import ProposalState
from duanka.orders.bulk_actions.execution import CardOutcome
from duanka.orders.dispatch.outbox import TaskOutcome
from duanka.orders.dispatch.receipts import NoticeOutcome
from duanka.orders.intake.kept_decisions import Why
from duanka.orders.proposing.chosen_orders import LeftOutReason
from duanka.reports.list_changes import ListChange

_HAN = re.compile("[\u4e00-\u9fff]")
# Every enum whose members people read: in a table of the command line, or on the holder's page.
IN_TABLES = (
    *(CaseOutcome, CaseState, GroundKind, ItemKind, CaseworkFigure, FigureGroup),
    *(
        State,
        Kind,
        Event,
        RequestedAction,
        Role,
        Tier,
        Action,
        BulkActionState,
        Evidence,
        Document,
        CheckOutcome,
        Change,
        LiveRefused,
    ),
    *(
        NetworkState,
        Carried,
        RefusalReason,
        Deciding,
        Window,
        TaskOutcome,
        AskedOfPersons,
        QuarantineReason,
        ListChange,
        Sureness,
    ),
    *(CheckReason, Gesture, RequestOutcome, ProposalState, NoticeOutcome, CardOutcome, Why),
    *(Usage, BasisKind),
    *(ClueState, ClueEvent, Standing, FactSource, UseKind, ManifestFault),
    *(LinkKind, RingRole, DeviceRole),
    *(AgeBand, FraudKind),
    *(
        CallOutcome,
        CallState,
        DangerSign,
        Exclusion,
        MessageKind,
        MessageOutcome,
        VictimOrigin,
        WorklistState,
    ),
    *(AccountGround, PlatformState, RequestKind, RequestState, SentKind, TransportKind),
    *(IndicatorKind, ItemState),
    *(BillingEvent, Certainty, Channel, FigureSplit, HeadlineFigure, LossCause),
    *(FigureShape, ListingEvent, ListingState, Measure, UnitKind, CardAge),
    *(CredentialKind, SessionEnd, LeftOutReason),
)


@pytest.mark.parametrize("enum", IN_TABLES, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_each_member_has_a_word_of_its_own_in_both_languages(enum: type[WordedEnum]) -> None:
    words = [member.words for member in enum]
    assert all(_HAN.search(one.zh) for one in words)
    assert all(one.en.strip() and one.en.isascii() and "_" not in one.en for one in words)
    assert len({one.zh for one in words}) == len({one.en for one in words}) == len(words)


def test_every_worded_enum_is_among_them() -> None:
    ours = {one for one in WordedEnum.__subclasses__() if one.__module__.startswith("duanka.")}
    assert ours <= {*IN_TABLES}


def test_the_grades_have_words() -> None:
    assert all(grade.meaning.zh and grade.meaning.en for grade in Grade)


def test_programs_have_the_value_and_people_the_words() -> None:
    assert State("sent_to_counter") is State.SENT_TO_COUNTER
    assert f"{State.SENT_TO_COUNTER}" == "sent_to_counter"
    assert State.SENT_TO_COUNTER.words == BilingualText("转营业厅", "sent to counter")


def test_a_member_without_a_chinese_word_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="no Chinese word"):

        class _Lacks(WordedEnum):
            ONE = "one"
