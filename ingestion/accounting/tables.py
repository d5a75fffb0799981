"""The ledger's tables (schema ``cie``): what each source holds, where each object ended, what people decided.

No column holds an identity: names are keyed hashes, UIDs and patients are pseudonyms, digests of raw bytes are keyed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Integer, MetaData, String, Table, Text, func

SCHEMA = "cie"
metadata = MetaData(schema=SCHEMA)

source_key = Table(
    "source_key",
    metadata,
    Column("source_id", String(40), primary_key=True),
    Column("key_id", String(12), nullable=False),
    Column("check_value", String(64), nullable=False),
)

inventory_object = Table(
    "inventory_object",
    metadata,
    Column("source_id", String(40), primary_key=True),
    Column("object_hash", String(32), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("sop_uid", String(64), nullable=False),
    Column("patient", String(64), nullable=False),
    Column("reason", String(40)),
    Column("rule", Text),
    Column("detail", Text),
    Column("withdrawn", Boolean, nullable=False, server_default="false"),
)

series_state = Table(
    "series_state",
    metadata,
    Column("source_id", String(40), primary_key=True),
    Column("series_uid", String(64), primary_key=True),
    Column("input_digest", String(32)),
    Column("policy_digest", String(64), nullable=False),
    Column("code_version", String(40), nullable=False),
    Column("state", String(16), nullable=False),
    Column("manifest_version", String(24)),
    Column("bytes_stored", BigInteger, nullable=False),
    Column("facts", Text),
)

instance = Table(
    "instance",
    metadata,
    Column("source_id", String(40), primary_key=True),
    Column("object_hash", String(32), primary_key=True),
    Column("series_uid", String(64), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("reason", String(40)),
    Column("rule", Text),
    Column("detail", Text),
    Column("content_hash", String(32)),
    Column("fingerprint", Text, nullable=False),
    Column("sop_uid", String(64)),
    Column("store_key", Text),
    Column("sha256", String(64)),
    Column("size", BigInteger),
)

decision = Table(
    "decision",
    metadata,
    Column("source_id", String(40), primary_key=True),
    Column("object_hash", String(32), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("verb", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("pixels", Text),
    Column("decided_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
)

run_account = Table(
    "run_account",
    metadata,
    Column("source_id", String(40), primary_key=True),
    Column("run_id", String(64), primary_key=True),
    Column("series_worked", Integer, nullable=False),
    Column("objects_read", Integer, nullable=False),
    Column("bytes_read", BigInteger, nullable=False),
    Column("objects_written", Integer, nullable=False),
    Column("bytes_written", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("recorded_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
)
