"""What is put into the SQL of a rule, and the dialects it is written in."""

from datetime import date, datetime
from typing import Literal

Dialect = Literal["duckdb", "spark"]
Value = int | float | str | date | datetime
