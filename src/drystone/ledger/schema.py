"""Tables of the ledger's index. Everything here can be thrown away and rebuilt from the journals."""

from __future__ import annotations

#: Raised when a table changes; an index of another version is rebuilt, never migrated by hand.
VERSION = 2

#: `fact` columns hold the MessagePack of the struct in `facts.py`; the others are there to search by.
TABLES = """
CREATE TABLE journal (
  file TEXT PRIMARY KEY, stamp TEXT, closed INTEGER, end INTEGER, last BLOB
) WITHOUT ROWID;
CREATE INDEX journal_open ON journal (file, stamp) WHERE NOT closed;
CREATE TABLE folder (stamp TEXT);
CREATE TABLE damage (file TEXT, position INTEGER, what TEXT, PRIMARY KEY (file, position)) WITHOUT ROWID;

CREATE TABLE run (
  run TEXT PRIMARY KEY, kind TEXT, name TEXT, experiment TEXT, started INTEGER,
  status TEXT, finished INTEGER, started_fact BLOB, finished_fact BLOB, output TEXT
) WITHOUT ROWID;
CREATE INDEX run_by_name ON run (kind, name, run);
CREATE INDEX run_by_experiment ON run (experiment, run);
CREATE INDEX run_by_status ON run (status, run);

CREATE TABLE param (run TEXT, key TEXT, value BLOB, PRIMARY KEY (run, key)) WITHOUT ROWID;
CREATE TABLE conflict (run TEXT, key TEXT, value BLOB, PRIMARY KEY (run, key, value)) WITHOUT ROWID;
CREATE TABLE tag (run TEXT, key TEXT, value TEXT, time INTEGER, PRIMARY KEY (run, key)) WITHOUT ROWID;

CREATE TABLE points (id INTEGER PRIMARY KEY, run TEXT, key TEXT, digest BLOB UNIQUE, columns BLOB);
CREATE INDEX points_by_series ON points (run, key);
CREATE TABLE latest (
  run TEXT, key TEXT, step INTEGER, time INTEGER, value BLOB, PRIMARY KEY (run, key)
) WITHOUT ROWID;

CREATE TABLE edge (
  run TEXT, direction TEXT, path TEXT, object TEXT, tree INTEGER,
  PRIMARY KEY (run, direction, path, object)
) WITHOUT ROWID;
CREATE INDEX edge_by_object ON edge (object, direction, run);

CREATE TABLE trace (step TEXT, time INTEGER, run TEXT, trace TEXT, fact BLOB,
  PRIMARY KEY (step, time, run, trace)) WITHOUT ROWID;
CREATE INDEX trace_by_run ON trace (run);
CREATE INDEX trace_by_object ON trace (trace);

CREATE TABLE version (kind TEXT, name TEXT, version INTEGER, object TEXT, fact BLOB,
  PRIMARY KEY (kind, name, version, object)) WITHOUT ROWID;
CREATE INDEX version_by_object ON version (object);
CREATE TABLE alias (kind TEXT, name TEXT, alias TEXT, time INTEGER, fact BLOB,
  PRIMARY KEY (kind, name, alias, time, fact)) WITHOUT ROWID;

CREATE TABLE evidence (id TEXT PRIMARY KEY, subject TEXT, "check" TEXT, run TEXT, time INTEGER, fact BLOB)
  WITHOUT ROWID;
CREATE INDEX evidence_by_subject ON evidence (subject, "check", time);
CREATE INDEX evidence_by_run ON evidence (run);

CREATE TABLE deployment (name TEXT, time INTEGER, run TEXT, status TEXT, fact BLOB,
  PRIMARY KEY (name, time, run, status)) WITHOUT ROWID;
CREATE TABLE window (deployment TEXT, start INTEGER, "end" INTEGER, time INTEGER, run TEXT, fact BLOB,
  PRIMARY KEY (deployment, start, "end", time, run)) WITHOUT ROWID;
"""
