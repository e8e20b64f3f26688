"""The clue as a STIX 2.1 bundle: cards and devices as observables of our own, what is suspected marked as such.

Written as JSON by hand: the bundle has ten kinds of objects, all of whose ids follow from what they are about, so that
the same clue gives the same bytes. `stix2-validator` checks it in the tests.
"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from duanka.casework.clues.dossier.model import CaseDossier, DossierCard, DossierDevice
from duanka.domain.clue import Standing
from duanka.domain.local_time import OperatorZone

# Namespace of observables in STIX 2.1 (section 2.9); ours is for all other objects.
_OBSERVABLES = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
_OURS = uuid.uuid5(uuid.NAMESPACE_URL, "https://duanka.example/clues")
CARD, DEVICE = "phone-card", "mobile-device"
_SCHEMA = "https://duanka.example/stix/{}-1.0.json"
_SINCE = "2026-11-29T00:00:00.000Z"  # of the definitions, which are the same in all bundles
_AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"  # TLP 2.0 AMBER, as OASIS publishes it
_WORDS = {
    Standing.CONFIRMED: "公安机关已确认涉案 Confirmed by the police",
    Standing.SUSPECTED: "高风险（嫌疑），未经公安机关确认 Suspected, not confirmed by the police",
    Standing.NAMED: "案件所列，没有规则命中 Named in the case; no rule speaks against it",
}
Object = dict[str, Any]


def bundle_of(dossier: CaseDossier, mask_key: bytes | None = None) -> bytes:
    """Return the bundle of a dossier in full as JSON; with `mask_key` masked.

    Ids of masked numbers are keyed: two that look alike stay apart, and nobody finds a number by trying all.
    """
    told = json.dumps(_Bundle(dossier, mask_key).whole(), ensure_ascii=False, indent=1)
    return told.encode(errors="replace")  # names from records may hold lone surrogates


class _Bundle:
    def __init__(self, dossier: CaseDossier, mask_key: bytes | None) -> None:
        self._dossier, self._mask_key = dossier, mask_key
        self._shown = dossier.masked() if mask_key else dossier
        self._zone = OperatorZone(dossier.zone).info
        self._now = _written(dossier.built_at.replace(tzinfo=self._zone))
        self._identity = _id("identity", dossier.operator.en)

    def whole(self) -> Object:
        definitions = [_definition(CARD, self._identity), _definition(DEVICE, self._identity)]
        markings = [self._marking(standing) for standing in Standing]
        identity = self._object(
            "identity",
            self._identity,
            name=self._dossier.operator.zh,
            identity_class="organization",
            sectors=["telecommunications"],
        )
        found = [identity, *definitions, *markings, *self._facts()]
        return {
            "type": "bundle",
            "id": _id("bundle", self._dossier.clue, self._now, self._shown.is_masked),
            "objects": found,
        }

    def _facts(self) -> Iterator[Object]:
        of = dict[str, str]()
        groups: dict[Standing, list[str]] = {standing: [] for standing in Standing}
        for real, card in zip(self._dossier.cards, self._shown.cards, strict=True):
            observable = self._card(card, real.number)
            of[real.number] = observable["id"]
            told = [*self._told_of(card, observable)]
            groups[card.standing] += [observable["id"], *(one["id"] for one in told)]
            yield observable
            yield from told
        for real_device, device in zip(self._dossier.devices, self._shown.devices, strict=True):
            observable = self._device(device, real_device.imei)
            yield observable
            for number in real_device.cards:
                yield self._used_in(of[number], observable["id"], device)
        yield from self._places(self._dossier.cards, of)
        for standing, ids in groups.items():
            if ids:
                yield self._group(standing, ids)

    def _card(self, card: DossierCard, number: str) -> Object:
        facts = {
            "number": card.number,
            "standing": card.standing.value,
            "operator_name": card.operator,
            "home_city": card.home_city,
            "main_city": card.main_city,
            "outlet": card.outlet,
            "holder_hash": card.holder,
            "case_numbers": [one.case_number for one in card.confirmed],
        }
        return self._observable(CARD, number, {k: v for k, v in facts.items() if v}, card.standing)

    def _device(self, device: DossierDevice, imei: str) -> Object:
        return self._observable(DEVICE, imei, {"imei": device.imei, "card_count": len(device.cards)}, None)

    def _observable(self, kind: str, value: str, facts: Object, standing: Standing | None) -> Object:
        named = json.dumps({"imei" if kind == DEVICE else "number": value}, separators=(",", ":"))
        if self._mask_key:
            named = hmac.new(self._mask_key, named.encode(), sha256).hexdigest()
        found = f"{kind}--{uuid.uuid5(_OBSERVABLES, named)}"
        marked = [self._marks(standing)] if standing else []
        extension = {_definition_id(kind): {"extension_type": "new-sco"}}
        return {
            "type": kind,
            "spec_version": "2.1",
            "id": found,
            **facts,
            **({"object_marking_refs": marked} if marked else {}),
            "extensions": extension,
        }

    def _told_of(self, card: DossierCard, observable: Object) -> Iterator[Object]:
        """What was observed of a card, the indicator of it, and how they belong together."""
        if card.standing is Standing.NAMED:
            return
        first, last, times = self._seen(card)
        observed = self._object(
            "observed-data",
            _id("observed-data", self._dossier.clue, observable["id"]),
            card.standing,
            first_observed=first,
            last_observed=last,
            number_observed=times,
            object_refs=[observable["id"]],
        )
        confirmed = card.standing is Standing.CONFIRMED
        said = [*(hit.words.zh for hit in card.suspicion), *([card.ring.reason.zh] if card.ring else [])]
        cases = "；".join(one.case_number for one in card.confirmed)
        indicator = self._object(
            "indicator",
            _id("indicator", self._dossier.clue, observable["id"]),
            card.standing,
            name=f"{'涉案' if confirmed else '高风险'} {card.number}",
            description="；".join([*([f"案件编号 {cases}"] if cases else []), *said])
            or _WORDS[card.standing],
            indicator_types=["attribution" if confirmed else "anomalous-activity"],
            pattern=f"[{CARD}:number = '{card.number}']",
            pattern_type="stix",
            valid_from=first,
            external_references=self._sources(card),
            confidence=100 if confirmed else round(50 if card.ring is None else 100 * card.ring.certainty),
        )
        yield observed
        yield indicator
        yield self._relationship("based-on", indicator["id"], observed["id"], card.standing)

    def _sources(self, card: DossierCard) -> list[Object]:
        """What the statements about a card rest on: case, orders, the police's cases, the ring."""
        told = [("duanka case", self._dossier.case.id), *(("duanka order", number) for number in card.orders)]
        told += [("police case", one.case_number) for one in card.confirmed]
        if card.ring and self._shown.ring:
            told.append(("duanka ring", self._shown.ring.seed))
        return [{"source_name": name, "external_id": number} for name, number in told]

    def _places(self, cards: Sequence[DossierCard], of: Mapping[str, str]) -> Iterator[Object]:
        """The cities where cards are mostly used; a city is a six-digit code (GB/T 2260)."""
        shown = {one.main_city: mine.main_city for one, mine in zip(cards, self._shown.cards, strict=True)}
        for city in sorted({card.main_city for card in cards if card.main_city}):
            found = _id("location", shown[city])
            yield self._object("location", found, name=shown[city], country="CN", city=shown[city])
            for card in cards:
                if card.main_city == city:
                    words = "主要在该城市使用 mostly used in"
                    yield self._relationship("related-to", of[card.number], found, None, description=words)

    def _seen(self, card: DossierCard) -> tuple[str, str, int]:
        days = [day for hit in card.suspicion for day in (hit.first_day, hit.last_day)]
        moments = [datetime.combine(day, datetime.min.time()) for day in days] + [
            one.at for one in card.confirmed
        ]
        found = [_written(one.replace(tzinfo=self._zone)) for one in moments] or [self._now]
        return min(found), max(found), max(sum(hit.days for hit in card.suspicion), 1)

    def _used_in(self, card: str, device: str, used: DossierDevice) -> Object:
        times = {
            name: _written(at.replace(tzinfo=self._zone))
            for name, at in (("start_time", used.first), ("stop_time", used.last))
            if at and used.first != used.last
        }
        return self._relationship(
            "related-to", card, device, None, description="在该终端中使用 used in", **times
        )

    def _relationship(
        self, kind: str, source: str, target: str, standing: Standing | None, **facts: Any
    ) -> Object:
        found = _id("relationship", self._dossier.clue, kind, source, target)
        return self._object(
            "relationship",
            found,
            standing,
            relationship_type=kind,
            source_ref=source,
            target_ref=target,
            **facts,
        )

    def _group(self, standing: Standing, ids: Sequence[str]) -> Object:
        return self._object(
            "grouping",
            _id("grouping", self._dossier.clue, standing.value),
            standing,
            name=f"{self._dossier.clue} {_WORDS[standing]}",
            context="suspicious-activity" if standing is not Standing.CONFIRMED else "unspecified",
            object_refs=list(ids),
        )

    def _object(self, kind: str, found: str, standing: Standing | None = None, **facts: Any) -> Object:
        marks = {"object_marking_refs": [self._marks(standing)]} if standing else {}
        times = {"created": self._now, "modified": self._now}
        created_by = {} if kind == "identity" else {"created_by_ref": self._identity}
        return {"type": kind, "spec_version": "2.1", "id": found, **created_by, **times, **facts, **marks}

    def _marks(self, standing: Standing) -> str:
        return _id("marking-definition", standing.value)

    def _marking(self, standing: Standing) -> Object:
        return {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": self._marks(standing),
            "created_by_ref": self._identity,
            "created": _SINCE,
            "name": standing.value,
            "definition_type": "statement",
            "definition": {"statement": _WORDS[standing]},
        }


def _definition(kind: str, identity: str) -> Object:
    words = {CARD: "A phone card (号码) by its number", DEVICE: "A mobile device (终端) by its IMEI"}
    return {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": _definition_id(kind),
        "created_by_ref": identity,
        "created": _SINCE,
        "modified": _SINCE,
        "name": kind,
        "description": words[kind],
        "schema": _SCHEMA.format(kind),
        "version": "1.0.0",
        "extension_types": ["new-sco"],
    }


def _definition_id(kind: str) -> str:
    return _id("extension-definition", kind)


def _id(kind: str, *of: object) -> str:
    """An id that follows from what the object is about, in the form of a random one, as STIX wants it."""
    told = sha256(_OURS.bytes + json.dumps([kind, *map(str, of)]).encode()).digest()
    return f"{kind}--{uuid.UUID(bytes=told[:16], version=4)}"


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
