"""Real servers that speak Spark Connect, for tests and benchmarks: started on loopback, ended by their process ids."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from duanka.network.process import free_port
from support import ROOT
from support.waiting import HANG

SPARK = ROOT / ".venv" / "spark" / "pyspark"
_STARTS_WITHIN = HANG
_SAIL = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
"""
# What Spark's own start scripts open for its use of Java 17.
_OPENS = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.lang",
        "java.lang.invoke",
        "java.lang.reflect",
        "java.io",
        "java.net",
        "java.nio",
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "jdk.internal.ref",
        "sun.nio.ch",
        "sun.nio.cs",
        "sun.security.action",
        "sun.util.calendar",
    )
]
_BRIEF_JAVA = [
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
]
# Without plans that are made again at every stage, and without Java compiled for each of them. Rows are spread over two
# partitions all the same, which a Spark that adapts its plans to so few rows would put together.
_BRIEF_SPARK = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "2",
}


@dataclass(frozen=True)
class Server:
    """A server at `remote`, and the processes that do its work, without the executors that they start."""

    name: str
    remote: str
    processes: tuple[int, ...]


def missing() -> str:
    """What a whole Spark lacks here, and the command that brings it; empty when all is there."""
    if not (SPARK / "jars").is_dir():
        return "no Spark in .venv/spark; run `make setup-cluster`"
    if not shutil.which("java"):
        return "no Java; run `make setup-cluster`, or apt-get install openjdk-17-jre-headless"
    return ""


@contextmanager
def sail(work: Path) -> Iterator[Server]:
    """Sail, in a process that also ends when this one does."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "sail.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", _SAIL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=work,
        )
        with _ended(server):
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            assert port, (work / "sail.log").read_text()
            yield Server("Sail", f"sc://127.0.0.1:{port}", (server.pid,))
            assert server.stdin is not None
            server.stdin.close()
            server.stdout.close()


@contextmanager
def spark(work: Path, *, cores: int = 2, memory: str = "1g", brief: bool = True) -> Iterator[Server]:
    """A Spark of master, one worker with one executor, and the Connect server, each a process of its own.

    `brief`: it will not run for long and over little, so Java and Spark spend little on making it fast.
    """
    jit = _BRIEF_JAVA if brief else []
    work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def start(name: str, heap: str, *words: str) -> subprocess.Popen[bytes]:
            log = stack.enter_context((work / f"{name}.log").open("w"))
            process = subprocess.Popen(
                ["java", f"-Xmx{heap}", *jit, *_OPENS, "-cp", f"{SPARK}/jars/*", *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=work,
                env={
                    **{k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "HADOOP_"))},
                    "SPARK_HOME": str(SPARK),
                    "SPARK_SCALA_VERSION": "2.13",
                    "SPARK_LOCAL_IP": "127.0.0.1",
                    "SPARK_WORKER_DIR": str(work / "worker"),
                },
            )
            stack.enter_context(_ended(process))
            return process

        here = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        master = start("master", "512m", "org.apache.spark.deploy.master.Master", *here)
        address = _said(work / "master.log", master, r"(spark://127\.0\.0\.1:\d+)")
        worker = start(
            "worker", "512m", "org.apache.spark.deploy.worker.Worker", *here,
            "--cores", str(cores), "--memory", memory, address,
        )  # fmt: skip
        _said(work / "worker.log", worker, r"(Successfully registered with master)")
        port = free_port()
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.driver.host": "127.0.0.1",
            "spark.executor.memory": memory,
            "spark.executor.extraJavaOptions": " ".join(jit),
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": str(2 * cores),
            "spark.local.dir": str(work / "local"),
            **(_BRIEF_SPARK if brief else {}),
        }
        connect = start(
            "connect", "1g", "org.apache.spark.deploy.SparkSubmit", "--master", address,
            *(word for name, value in settings.items() for word in ("--conf", f"{name}={value}")),
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal",
        )  # fmt: skip
        _said(work / "connect.log", connect, r"(Spark Connect server started)")
        yield Server("Spark", f"sc://127.0.0.1:{port}", (master.pid, worker.pid, connect.pid))


@contextmanager
def _ended(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _said(log: Path, process: subprocess.Popen[bytes], pattern: str) -> str:
    end = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text(errors="replace")):
            return found[1]
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        time.sleep(0.1)
    raise TimeoutError(f"{log.name}: {log.read_text(errors='replace')[-2000:]}")
