"""The keyword sets of a policy on real messages, both ways: fraud that they catch, honest messages that they refuse.

Fraud: 14,074 messages of fake base stations in 14 classes (CCS'20); honest: 31,465 of the NUS SMS corpus in Chinese.
Both lie in the folder DUANKA_SHARED and are never copied. The lists are written from what the field warns of, not from
these messages; whoever adds a set after looking at them has measured nothing.

    python benchmarks/message_text.py [POLICY.toml]
"""

from __future__ import annotations

import argparse
import io
import os
import time
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from duanka.domain.order_policy import MessagePolicy
from duanka.network.smpp import codec as smpp
from duanka.network.sms.proxy.text_rules import TextLists
from duanka.network.sms.proxy.verdict import MessageJudge
from duanka.policy_files.orders import MessagesTable

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("DUANKA_SHARED", ROOT.parent / "shared")) / "data"

ALPHABETS = (("utf-16-be", 8), ("utf-16-le", 8), ("utf-8", 0), ("gb18030", 0), ("gb18030", 15))


def policy(path: Path) -> MessagePolicy:
    """What the file says of messages."""
    given = tomllib.loads(path.read_text(encoding="utf-8")).get("messages", {})
    return MessagePolicy.of(**dict(MessagesTable.model_validate(given)))


def fraud() -> Iterator[tuple[str, str]]:
    """Class and text. The set is cut into words by spaces, which the lists do not mind."""
    for path in sorted((SHARED / "fbs_sms").glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield path.stem, line


def honest() -> Iterator[str]:
    """Texts of private people."""
    with zipfile.ZipFile(SHARED / "nus_sms_zh" / "smsCorpus_zh_xml_2015.03.09.zip") as packed:
        name = next(one for one in packed.namelist() if one.endswith(".xml"))
        for _, element in ElementTree.iterparse(io.BytesIO(packed.read(name))):  # noqa: S314  # a known file
            if element.tag == "text":
                yield element.text or ""
                element.clear()


def as_messages(text: str, encoding: str, coding: int, reference: int) -> Iterator[smpp.Submission]:
    """A text as a gateway hands it in: in one message, or cut into parts of 134 bytes."""
    data = text.encode(encoding, "replace")
    pieces = [data[at : at + 134] for at in range(0, len(data), 134)] or [b""]
    for number, piece in enumerate(pieces, 1):
        header = bytes((5, 0, 3, reference & 255, len(pieces), number)) if len(pieces) > 1 else b""
        sent = smpp.submit_sm(
            1,
            smpp.SmppAddress(1, 1, f"86139{reference:08d}"),
            smpp.SmppAddress(1, 1, f"86137{reference % 1000:08d}"),
            header + piece,
            data_coding=coding,
            esm_class=smpp.HAS_HEADER if header else 0,
        )
        yield smpp.submission(sent)


def in_every_alphabet(texts: list[str], lists: MessagePolicy) -> None:
    """Print how many of the texts are refused in each alphabet, read in all of them, and what it costs."""
    policy = MessagePolicy(lists.keywords, lists.links, 0, ())
    for encoding, coding in ALPHABETS:
        judge = MessageJudge(dict, policy)
        sent = [list(as_messages(text, encoding, coding, at)) for at, text in enumerate(texts)]
        began = time.process_time()
        refused = sum(any(judge.of(one) is not None for one in parts) for parts in sent)
        took = (time.process_time() - began) / sum(map(len, sent)) * 1e6
        print(
            f"  {encoding} under data_coding {coding}: {refused:,} of {len(texts):,} refused; {took:.1f} us a message"
        )


def main() -> None:
    """Print both ways."""
    asked = argparse.ArgumentParser()
    asked.add_argument("policy", nargs="?", type=Path, default=ROOT / "policies" / "national.toml")
    if not (SHARED / "fbs_sms").is_dir():
        print(f"no public messages at {SHARED}; set DUANKA_SHARED to the folder that holds data/")
        return
    listed = policy(asked.parse_args().policy)
    lists = TextLists(listed)
    total, caught = Counter[str](), Counter[str]()
    for name, text in fraud():
        total[name] += 1
        caught[name] += lists.of(text) is not None
    print(f"{'class':24} messages  caught")
    for name in sorted(total):
        print(f"{name:24} {total[name]:8,}  {caught[name] / total[name]:6.1%}")
    wanted = [name for name in total if name.startswith(("FR_", "IL_"))]
    every = sum(total[name] for name in wanted)
    print(f"{'fraud and illegal':24} {every:8,}  {sum(caught[name] for name in wanted) / every:6.1%}")
    texts = list(honest())
    began = time.perf_counter()
    why = Counter(lists.of(text) for text in texts)
    took = time.perf_counter() - began
    refused = len(texts) - why[None]
    print(f"honest: {len(texts):,} messages, {refused} refused ({refused / len(texts):.4%}); ", end="")
    print(f"{took / len(texts) * 1e6:.1f} us each")
    for reason, count in why.most_common():
        if reason:
            print(f"  {count} by {reason}")
    print("honest, as messages and parts:")
    in_every_alphabet(texts, listed)
    print("fraud and illegal, as messages and parts:")
    in_every_alphabet([text for name, text in fraud() if name in wanted], listed)


if __name__ == "__main__":
    main()
