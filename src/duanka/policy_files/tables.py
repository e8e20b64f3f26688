"""Base of the models of a policy file's tables, their common types, and errors that name the key."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from duanka.domain.errors import PolicyError
from duanka.domain.rule import MOST
from duanka.domain.text import BilingualText


def fault(message: str) -> PydanticCustomError:
    """Return the error of a value; `message` is read after its key."""
    return PydanticCustomError("fault", "{message}", {"message": message})


def _unknown(name: str, names: Collection[str]) -> str:
    """Say that a key is not one of `names`: a misspelt one must not be ignored."""
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(sorted(names))}"
    return f"does not know {name!r}; {hint}"


def refuse_unknown(path: Path, where: str, given: Iterable[str], names: Collection[str]) -> None:
    """PolicyError where a key is not one of `names`."""
    for name in given:
        if name not in names:
            raise PolicyError(f"{path}: {where} {_unknown(name, names)}")


def must_be(words: str) -> WrapValidator:
    """Reword an error of the value itself: "must be `words`"; other errors stay."""

    def check(value: object, inner: ValidatorFunctionWrapHandler) -> object:
        try:
            return inner(value)
        except ValidationError as error:
            first = error.errors()[0]
            if first["loc"] or first["type"] == "fault":
                raise
            raise fault(f"must be {words}, not {value!r:.60}") from None

    return WrapValidator(check)


def one_of(*known: str) -> PlainValidator:
    """Accept these texts, or those of these members of an enum; the member is the value."""

    def check(text: object) -> str:
        for one in known:
            if one == text:
                return one
        raise fault(f"is one of {', '.join(known)}, not {text!r:.40}")

    return PlainValidator(check)


def _distinct(texts: tuple[str, ...]) -> tuple[str, ...]:
    if twice := {one for one in texts if texts.count(one) > 1}:
        raise fault(f"names {min(twice)!r:.40} twice; take one out")
    return texts


class TomlTable(BaseModel):
    """A table of the file; `SHAPE`: how to write it."""

    model_config = ConfigDict(frozen=True, strict=True)
    SHAPE: ClassVar[str] = "a table"

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, given: object) -> object:
        if not isinstance(given, dict):
            raise fault(f"must be {cls.SHAPE}, not {given!r:.60}")
        for name in given:
            if name not in cls.model_fields:
                raise fault(_unknown(name, cls.model_fields))
        return given


class _BothLanguages(TomlTable):
    SHAPE = '{ zh = "…", en = "…" }'

    zh: Text = Field(default=None, validate_default=True)
    en: Text = Field(default=None, validate_default=True)


def _words(given: object) -> BilingualText:
    return BilingualText(**dict(_BothLanguages.model_validate(given)))


Item = TypeVar("Item")
ListOf = Annotated[tuple[Item, ...], Strict(False), must_be("a list like [a, b]")]
Distinct = Annotated[ListOf[Item], AfterValidator(_distinct)]
Text = Annotated[str, Field(pattern=r"\S"), must_be("a text")]
Entry = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), must_be("a text")]
Day = Annotated[date, must_be("a day like 2021-06-02")]
Flag = Annotated[bool, must_be("true or false")]
Number = Annotated[float, Field(ge=0, le=MOST), must_be("a number from 0")]
Words = Annotated[BilingualText, PlainValidator(_words)]

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], path: Path, given: object, where: str = "") -> Model:
    """Validate a table; `where`: its name, "" for the file. PolicyError names the first wrong key."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
    if first["type"] == "missing":
        raise PolicyError(f"{path}: {first['loc'][-1]} is missing")
    if first["type"] == "value_error":  # it names its key
        raise PolicyError(f"{path}: {first['ctx']['error']}")
    raise PolicyError(f"{path}: {_place(where, first['loc'])} {first['msg']}")


def _place(where: str, loc: tuple[int | str, ...]) -> str:
    """Write ("orders", "stages", 0, "hours") as `[orders] stages 1 hours`."""
    if not where and loc:
        where, loc = f"[{loc[0]}]", loc[1:]
    keys = [str(key + 1) if isinstance(key, int) else key for key in loc]
    if loc and isinstance(loc[-1], int) and loc[0] != "stages":
        return f"an entry of {' '.join([where, *keys[:-1]])}"
    return " ".join([where, *keys])
