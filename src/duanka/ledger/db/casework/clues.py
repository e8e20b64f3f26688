"""Tables of clues: what the police are told, to whom, and what they answer."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, Table

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata

# `digest`: SHA-256 of the police's files before they were encrypted. `package`: these files, encrypted to the police's
# certificate; NULL once they acknowledged it, or its days are over. Nobody here can read it.
clues = Table(
    "clues",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("case_id", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("recipient", String(16), nullable=False),
    Column("cards", Integer, nullable=False),
    Column("confirmed", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("package", LargeBinary),
    Column("package_deleted_at", UtcMicroseconds),
    Column("built_by", String(32), nullable=False),
    Column("built_at", UtcMicroseconds, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
    Column("reviewed_by", String(32)),
    Column("reviewed_at", UtcMicroseconds),
    Column("sent_by", String(32)),
    Column("sent_at", UtcMicroseconds),
    Column("sent_to", Text, nullable=False, server_default=""),
    Column("acknowledged_by", String(32)),
    Column("acknowledged_at", UtcMicroseconds),
    Column("answered_by", String(32)),
    Column("answered_at", UtcMicroseconds),
    Column("case_number", Text, nullable=False, server_default=""),  # of the police
    Column("seal", String(64), nullable=False),  # keyed: of the package, who built and who reviewed it
    CheckConstraint("state = 'draft' OR reviewed_by <> built_by", name="clue_reviewed_by_another"),
    Index("clues_by_time", "built_at", "id"),
    Index("clues_of_case", "case_id"),
    index_of_some("clues_with_package", "built_at", where="package IS NOT NULL"),
)

# The cards of a clue: what was known of each when it was built, and what the police answered. `answer`: confirmed,
# refuted; NULL: nothing yet. `case_number`: of the police, with a confirmation.
clue_cards = Table(
    "clue_cards",
    metadata,
    Column("clue_id", String(16), primary_key=True),
    Column("card", String(24), primary_key=True),
    Column("standing", String(16), nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Column("answer", String(16)),
    Column("answered_at", UtcMicroseconds),
    Column("case_number", Text, nullable=False, server_default=""),
    Index("clues_of_card", "card"),
)

# Our own files of a clue, masked, with their manifest.
clue_files = Table(
    "clue_files",
    metadata,
    Column("clue_id", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

# Who may get clues: one person proposes, another approves. `seal`: a row from outside does not count.
clue_recipients = Table(
    "clue_recipients",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("certificate", Text, nullable=False),  # X.509, PEM
    Column("address", Text, nullable=False),  # folder, sftp:// or https://
    Column("proposed_by", String(32), nullable=False),
    Column("proposed_at", UtcMicroseconds, nullable=False),
    Column("approved_by", String(32)),
    Column("removed_at", UtcMicroseconds),
    Column("seal", String(64), nullable=False),
)
