"""The files of a clue, and the police's encrypted package: CMS EnvelopedData (RFC 5652), which OpenSSL decrypts.

Nothing here writes to a disk: what is in full exists in memory, and leaves it encrypted.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options

from duanka.casework.clues.dossier.model import CaseDossier
from duanka.domain.clue import ClueError

DOSSIER, BUNDLE, CARDS = "dossier.pdf", "bundle.json", "cards.csv"
PACKAGE = "police.cms"  # what the police get; within it a zip of the files in full
_LEAST_BITS = 2048
_COLUMNS = (
    *(
        "card",
        "standing",
        "case_numbers",
        "role",
        "certainty",
        "rules",
        "tier",
        "state",
        "operator",
        "home_city",
    ),
    *("main_city", "outlet", "holder", "holder_kind", "opened_at", "source"),
)


def certificate_in(content: bytes, now: datetime) -> x509.Certificate:
    """A certificate (PEM or DER) to which a package can be encrypted. ClueError: none, or not fit for it."""
    try:
        is_pem = b"-----BEGIN" in content
        found = x509.load_pem_x509_certificate(content) if is_pem else x509.load_der_x509_certificate(content)
        key = found.public_key()
    except ValueError:
        raise ClueError("that is no X.509 certificate: give the police's, in PEM or DER") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise ClueError(
            f"a package is encrypted to an RSA key of {_LEAST_BITS} bits or more; this certificate has another"
        )
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise ClueError(
            f"the certificate is valid until {found.not_valid_after_utc:%Y-%m-%d}: ask the police for a new one"
        )
    try:
        usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return found
    if not usage.key_encipherment:
        raise ClueError("the certificate is not for encryption (its key usage lacks keyEncipherment)")
    return found


def encrypted(files: Mapping[str, bytes], certificate: x509.Certificate, at: datetime) -> bytes:
    """Zip the files, and encrypt the zip to the certificate (AES-256, DER)."""
    builder = PKCS7EnvelopeBuilder().set_data(zipped(files, at)).add_recipient(certificate)
    return builder.set_content_encryption_algorithm(AES256).encrypt(Encoding.DER, [PKCS7Options.Binary])


def zipped(files: Mapping[str, bytes], at: datetime) -> bytes:
    """Zip files; the same files and time give the same bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (max(at.year, 1980), at.month, at.day, at.hour, at.minute, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(entry, content)
    return held.getvalue()


def cards_csv(dossier: CaseDossier) -> bytes:
    """All cards as a table for spreadsheets (UTF-8 with BOM)."""
    held = io.StringIO()
    rows = csv.writer(held)
    rows.writerow(_COLUMNS)
    for card in dossier.cards:
        row = (
            card.number,
            card.standing.value,
            ";".join(one.case_number for one in card.confirmed),
            card.ring.role.zh if card.ring else "",
            f"{card.ring.certainty:.2f}" if card.ring else "",
            ";".join(hit.rule for hit in card.suspicion),
            card.tier,
            card.state.zh if card.state else "",
            card.operator,
            card.home_city,
            card.main_city,
            card.outlet,
            card.holder,
            card.holder_kind,
            card.opened_at.isoformat(" ") if card.opened_at else "",
            card.source,
        )
        rows.writerow(_safe(value) for value in row)
    return held.getvalue().encode("utf-8-sig", errors="replace")


def _safe(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
