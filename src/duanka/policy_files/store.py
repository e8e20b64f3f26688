"""Model of a policy file's table `[store]`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from duanka.domain.store_policy import StorePolicy
from duanka.policy_files.tables import TomlTable, must_be

_SHIPPED = StorePolicy()

KeptDays = Annotated[int, Field(ge=1, le=3660), must_be("a whole number from 1 to 3660")]  # ten years


class StoreTable(TomlTable):
    """`[store]`: the fields of StorePolicy."""

    keep_records_days: KeptDays = _SHIPPED.keep_records_days
    keep_rollups_days: KeptDays = _SHIPPED.keep_rollups_days
    keep_refusals_days: KeptDays = _SHIPPED.keep_refusals_days

    @model_validator(mode="after")
    def _rollups_outlive_records(self) -> Self:
        if self.keep_rollups_days < self.keep_records_days:
            raise ValueError(
                f"[store] keep_rollups_days must not be below keep_records_days ({self.keep_records_days})"
            )
        return self
