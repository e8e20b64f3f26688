"""What a person sees of the order database: numbers masked, links removed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from duanka.domain.hit_summary import decoded_summaries, encoded_summaries
from duanka.domain.order import Order
from duanka.domain.phone_masking import masked_card, masked_text

_LINK = re.compile(r"(?<=#)[A-Za-z0-9_-]{44}")
# Fields with text that the program made: masking could damage an id or a cursor.
_OURS = frozenset({"id", "order_id", "parent", "undoes", "next"})
_SHOWN_ALREADY = frozenset({"card", "hit_summaries"})  # `order` masks these, each in its own way
_Shown = TypeVar("_Shown")


@dataclass(frozen=True)
class NumberMasking:
    """How much of numbers a reader sees."""

    unmasked: bool

    def number(self, card: str) -> str:
        """Show a card's number: +86 138****0001, or in full +8613800000001."""
        if self.unmasked:
            return f"+{card}" if card.isdigit() else card
        return masked_card(card)

    def text(self, text: str) -> str:
        """Mask numbers in a text, and remove links of holders."""
        text = _LINK.sub("…", text)
        return text if self.unmasked else masked_text(text)

    def order(self, order: Order) -> Order:
        """Mask an order; its `card` is what `number` shows."""
        summaries = order.hit_summaries
        # Decoded first: in the JSON text, masking a number could damage the syntax.
        if summaries and not self.unmasked:
            summaries = encoded_summaries(self.seen(decoded_summaries(summaries)))
        return self.seen(replace(order, card=self.number(order.card), hit_summaries=summaries))

    def facts(self, told: str) -> Mapping[str, Any]:
        """Parse and mask the JSON of an audit trail entry."""
        facts: dict[str, Any] = json.loads(told)
        return {
            name: self.number(value) if name == "card" and isinstance(value, str) else self.seen(value)
            for name, value in facts.items()
        }

    def seen(self, view: _Shown) -> _Shown:
        """Apply `text` to every text in a view, list or mapping but ids and cursors."""
        shown: Any = view
        kept = _OURS | _SHOWN_ALREADY
        if isinstance(view, Enum):
            return view
        if isinstance(view, str):
            shown = self.text(view)
        elif is_dataclass(view) and not isinstance(view, type):
            inner = {one.name: getattr(view, one.name) for one in fields(view) if one.init}
            shown = replace(view, **{n: v if n in kept else self.seen(v) for n, v in inner.items()})
        elif isinstance(view, Mapping):
            shown = {n: v if n in kept else self.seen(v) for n, v in view.items()}
        elif isinstance(view, tuple | list):
            inside = [self.seen(one) for one in view]
            shown = type(view)(*inside) if hasattr(view, "_fields") else type(view)(inside)
        return shown  # type: ignore[no-any-return]  # has the type of its argument


MASKED, IN_FULL = NumberMasking(unmasked=False), NumberMasking(unmasked=True)

ShownNumber = Annotated[
    str,
    Field(
        alias="phoneNumber",
        title="Phonenumber",
        description="The card (号码), masked (掩码) unless it was asked for in full.",
        examples=["+86 138****0000"],
    ),
]


class View(BaseModel):
    """What services show to people; the API returns it in camelCase.

    Every text is masked when a view is built, unless `of` is told otherwise.
    """

    # Fields with generated values, which masking could damage.
    OURS: ClassVar[frozenset[str]] = _OURS

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        from_attributes=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
        defer_build=True,  # a command needs few of them
    )

    @classmethod
    def of(cls, facts: object, sight: NumberMasking = MASKED) -> Self:
        """Build from a mapping, or from the attributes of an object. `card`: as `sight.number` shows it."""
        return cls.model_validate(facts, context=sight)

    @field_validator("*", mode="after")
    @classmethod
    def _masked(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name in cls.OURS or not isinstance(value, str | list | tuple | dict):
            return value
        sight: NumberMasking = info.context or MASKED
        return sight.seen(value)
