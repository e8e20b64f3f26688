"""Spark Connect session; the only module that uses the (optional) Spark client."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from duanka.domain.errors import DuankaError, RuleError
from duanka.engine.shared.duckdb_database import Rows

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_CONNECT_TIMEOUT_SECONDS = 10
_RETRIES, _MAX_PAUSE_MS = 8, 10_000  # gives up after about 45 s
_SETTINGS = {
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # event times are local and have no zone
    "spark.sql.session.timeZone": "UTC",  # where Spark requires a zone: one without daylight saving time
    "spark.sql.ansi.enabled": "true",  # an overflow raises an error instead of wrapping around
}
_TYPES = {
    pa.timestamp("us"): "TIMESTAMP_NTZ",
    pa.date32(): "DATE",
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.string(): "STRING",
    pa.decimal128(38, 0): "BIGINT",  # type of DuckDB's sum over a sum
}
_FAULTS_OF_SQL = ("AnalysisException", "ParseException")
_MISSING = (
    "the engine spark needs the client of Spark Connect, which is not installed;"
    ' run: python -m pip install "pyspark-client>=4.1"'
)
# Special characters of glob patterns and of URLs: Spark reads a path as a pattern, other servers as a URL.
_NOT_IN_PATHS = re.compile(r"[\[\]{}*?%#\\:\"<>|^`\n]")


class Remote:
    """A session at `address`, like "sc://host:15002"; DuankaError when no server is reached."""

    def __init__(self, address: str) -> None:
        self.shared: Path | None = None  # the folder that errors name; None: the one of the file in question
        self._address = address
        self._shown = address.partition(";")[0].rstrip("/")  # drop the parameters: they may hold a token
        self._begin()

    def renew(self) -> None:
        """Replace the session with a new one."""
        self.close()
        self._begin()

    def _begin(self) -> None:
        self._session = _connect(self._address, self._shown)
        with self.running("its settings"):
            for name, value in _SETTINGS.items():
                self._session.conf.set(name, value)

    def close(self) -> None:
        """End the session; do not wait for a server that is gone."""
        self._session.client.set_retry_policies([])
        with suppress(Exception), _quietly():
            self._session.stop()

    def open(self, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
        """Create view `name` over Parquet files or folders with a subset of `schema`."""
        columns = ", ".join(f"{field.name} {_TYPES[_plain(field.type)]}" for field in schema)
        with self._seeing(paths[0]):
            frame = self._session.read.schema(columns).parquet(*(_address(path) for path in paths))
            frame.createOrReplaceTempView(name)

    def view(self, name: str, sql: str) -> None:
        """Create view `name` from a statement."""
        with self.running(name):
            self._session.sql(f"CREATE OR REPLACE TEMPORARY VIEW {name} AS {sql}")

    def empty(self, name: str, schema: pa.Schema) -> None:
        """Create an empty view `name`."""
        nothing = ", ".join(f"CAST(NULL AS {_TYPES[_plain(field.type)]}) AS {field.name}" for field in schema)
        self.view(name, f"SELECT * FROM (SELECT {nothing}) WHERE 1 = 0")

    def write(self, sql: str, folder: Path) -> None:
        """Write the result of `sql` as Parquet into `folder`."""
        with self._seeing(folder):
            self._session.sql(sql).write.mode("overwrite").parquet(_address(folder))

    def rows(self, sql: str, what: str = "a count") -> Rows:
        """The result rows of `sql`, in order."""
        table = self.arrow(sql, what)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def arrow(self, sql: str, what: str = "a statement") -> pa.Table:
        """The result of `sql`, with naive times; RuleError when the SQL of `what` fails."""
        with self.running(what):
            table = self._session.sql(sql).toArrow()
        naive = [
            pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type)
            for f in table.schema
        ]
        return table.cast(pa.schema(naive))  # drops the zone UTC and keeps the clock reading

    def blind(self, path: Path, why: str) -> DuankaError:
        """The error for a cluster that does not see the shared files."""
        folder = self.shared or path.parent
        return DuankaError(
            f"the cluster at {self._shown} cannot use {folder}: {why}; this folder must be there on every node"
            " under the same path, for the same user: choose one with --out, DUANKA_WORK or --store (docs/CLUSTER.md)"
        )

    def _seeing(self, path: Path) -> AbstractContextManager[None]:
        """Report any failure inside as a cluster that does not see the shared files."""
        return _plainly(lambda error, said: self._gone(error) or self.blind(path, said))

    def _gone(self, error: Exception) -> DuankaError | None:
        """The error for a server that does not answer; None where `error` is something else."""
        from grpc import StatusCode  # noqa: PLC0415  # optional extra

        status = getattr(error, "getGrpcStatusCode", None)
        if status is None or status() is not StatusCode.UNAVAILABLE:
            return None
        return DuankaError(
            f"the cluster at {self._shown} does not answer any more; see that it runs, then do the same again"
        )

    def running(self, what: str) -> AbstractContextManager[None]:
        """Report a failure of `what` on the cluster as a one-line error."""

        def told(error: Exception, said: str) -> DuankaError:
            if gone := self._gone(error):
                return gone
            kind = RuleError if type(error).__name__ in _FAULTS_OF_SQL else DuankaError
            return kind(f"{what} does not run on the cluster at {self._shown}: {said}")

        return _plainly(told)


@contextmanager
def _plainly(told: Callable[[Exception, str], DuankaError]) -> Iterator[None]:
    """Convert errors of Spark or its client with `told`; let other errors pass."""
    try:
        with _quietly():
            yield
    except Exception as error:
        if (said := _said(error)) is None:
            raise
        raise told(error, said) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress the client's own warnings about libraries and retries."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pyspark")
        yield


def _connect(address: str, shown: str) -> SparkSession:
    with _quietly():
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        try:
            import grpc  # noqa: PLC0415  # optional extra; importing it takes half a second
            from pyspark.sql.connect.client import DefaultChannelBuilder  # noqa: PLC0415
            from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415
            from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415
        except ImportError as error:
            raise DuankaError(_MISSING) from error
    logging.getLogger("SQLQueryContextLogger").disabled = True  # it logs every error as a page of JSON
    try:
        with _plainly(
            lambda _, said: DuankaError(
                f"{shown!r} is no address of a Spark Connect server ({said}); write sc://host:15002"
            )
        ):
            channel = DefaultChannelBuilder(address)
            grpc.channel_ready_future(channel.toChannel()).result(timeout=_CONNECT_TIMEOUT_SECONDS)
    except grpc.FutureTimeoutError as error:
        raise DuankaError(
            f"no Spark Connect server answers at {shown}; see that it runs (port 15002 by default) and that this"
            " machine may reach it"
        ) from error
    with _plainly(lambda _, said: DuankaError(f"the server at {shown} does not speak Spark Connect: {said}")):
        session = SparkSession.builder.channelBuilder(channel).create()
        session.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES, max_backoff=_MAX_PAUSE_MS)])
        return session


def _said(error: Exception) -> str | None:
    """First line of an error of Spark or its client; None for any other error."""
    import grpc  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415

    if isinstance(error, DuankaError) or not isinstance(error, PySparkException | grpc.RpcError):
        return None
    details = error.details() if isinstance(error, grpc.Call) else str(error)
    return str(details).strip().splitlines()[0][:300]


def _address(path: Path) -> str:
    """`path` as a file URL, independent of the cluster's default file system."""
    if strange := _NOT_IN_PATHS.search(str(path)):
        raise DuankaError(
            f"{path} has {strange[0]!r} in its name, which a cluster does not read as it stands; choose another folder"
            " with --out, DUANKA_WORK or --store"
        )
    return f"file://{path.absolute()}"


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) else kind
