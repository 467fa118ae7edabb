"""Everything the local Azure must not forget, in one SQLite file.

Writes are in the write-ahead log before they are acknowledged, so that a killed process comes back with all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.azure.documents import decode, encode

Json = dict[str, Any]

#: When what never ends is due: a time that can be written all the same.
NEVER = 253402300799.0

# `resources` has row ids: without them a row over a quarter of a page, as most are, spills into pages of its own.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, subscription TEXT NOT NULL, grp TEXT NOT NULL, scope TEXT NOT NULL,
    tracked INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_subscription ON resources (subscription, type, id);
CREATE INDEX IF NOT EXISTS by_scope ON resources (scope, type, id);
CREATE INDEX IF NOT EXISTS by_group ON resources (subscription, grp, id) WHERE tracked;
CREATE INDEX IF NOT EXISTS tracked ON resources (subscription, id) WHERE tracked;
CREATE TABLE IF NOT EXISTS operations (
    id TEXT PRIMARY KEY, resource TEXT NOT NULL, action TEXT NOT NULL, started REAL NOT NULL, due REAL NOT NULL,
    status TEXT NOT NULL, error BLOB, done INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pending ON operations (due) WHERE NOT done;
CREATE INDEX IF NOT EXISTS pending_of ON operations (resource) WHERE NOT done;
CREATE TABLE IF NOT EXISTS activity (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, subscription TEXT NOT NULL, grp TEXT NOT NULL, resource TEXT NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS activity_at ON activity (subscription, at);
CREATE INDEX IF NOT EXISTS activity_grp ON activity (subscription, grp, at);
CREATE INDEX IF NOT EXISTS activity_resource ON activity (subscription, resource, at);
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fault_requests (
    fault INTEGER, request TEXT, seen INTEGER NOT NULL, PRIMARY KEY (fault, request)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation as it is stored; times are seconds since the epoch on the sandbox's clock."""

    id: str
    resource: str
    action: str
    started: float
    due: float
    status: str
    error: Json | None
    done: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Documents of a list, and the key after which the next page begins (None on the last)."""

    items: list[Json]
    after: str | None


class Store:
    """The database.

    Args:
        path: the file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing that was acknowledged; a machine without power may lose the last writes. Only
        # folding the log into the file waits for the disk: at SQLite's own 4 MB for 10 ms, at 16 MB for 30.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file; the log is folded into it."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one inside another joins it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def discarded(self) -> Iterator[None]:
        """A transaction of which nothing stays."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def get(self, identifier: str) -> Json | None:
        """The document with this id, in any case."""
        row = self._db.execute("SELECT body FROM resources WHERE id = ?", (identifier.lower(),)).fetchone()
        return decode(row[0]) if row else None

    def put(self, document: Json, *, subscription: str, group: str, scope: str, tracked: bool) -> None:
        """Store a document under its own `id` and `type`, replacing what was there."""
        self._db.execute(
            "INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (
                document["id"].lower(),
                document["type"].lower(),
                subscription.lower(),
                group.lower(),
                scope.lower(),
                tracked,
                encode(document),
            ),
        )

    def rewrite(self, document: Json) -> None:
        """Store a changed document that is there already."""
        self._db.execute("UPDATE resources SET body = ? WHERE id = ?", (encode(document), document["id"].lower()))

    def delete(self, identifier: str, now: float) -> None:
        """Remove a resource and all that hangs under its id; their operations are canceled."""
        key = identifier.lower()
        # "0" follows "/" in ASCII: the range is what begins with the id and a slash.
        span = (key, key + "/", key + "0")
        self._db.execute("DELETE FROM resources WHERE id = ? OR (id > ? AND id < ?)", span)
        self._db.execute(
            "UPDATE operations SET done = 1, status = 'Canceled', due = ? "
            "WHERE NOT done AND (resource = ? OR (resource > ? AND resource < ?))",
            (now, *span),
        )

    def in_scope(self, scope: str, kind: str, after: str, limit: int) -> Page:
        """Resources of a type directly under a group, a subscription or a resource."""
        return self._page("scope = ? AND type = ?", (scope.lower(), kind.lower()), after, limit)

    def in_subscription(self, subscription: str, kind: str, after: str, limit: int) -> Page:
        """Resources of a type anywhere in a subscription."""
        return self._page("subscription = ? AND type = ?", (subscription.lower(), kind.lower()), after, limit)

    def tracked(self, subscription: str, group: str | None, kind: str | None, after: str, limit: int) -> Page:
        """Resources that ARM itself lists, of all types or one."""
        clauses, values = ["subscription = ?", "tracked"], [subscription.lower()]
        for clause, value in (("grp = ?", group), ("type = ?", kind)):
            if value is not None:
                clauses.append(clause)
                values.append(value.lower())
        return self._page(" AND ".join(clauses), tuple(values), after, limit)

    def count(self, subscription: str, kind: str) -> int:
        """How many resources of a type a subscription holds."""
        query = "SELECT count(*) FROM resources WHERE subscription = ? AND type = ?"
        return int(self._db.execute(query, (subscription.lower(), kind.lower())).fetchone()[0])

    def _page(self, where: str, values: tuple[str, ...], after: str, limit: int) -> Page:
        query = f"SELECT id, body FROM resources WHERE {where} AND id > ? ORDER BY id LIMIT ?"
        rows = self._db.execute(query, (*values, after, limit + 1)).fetchall()
        more = rows[limit - 1][0] if len(rows) > limit else None
        return Page([decode(body) for _, body in rows[:limit]], more)

    def add_operation(self, operation: Operation) -> None:
        """Store a new operation."""
        self._db.execute(
            "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                operation.id,
                operation.resource,
                operation.action,
                operation.started,
                operation.due,
                operation.status,
                encode(operation.error) if operation.error else None,
                operation.done,
            ),
        )

    def finish_operation(self, identifier: str, status: str, now: float) -> None:
        """Mark an operation as ended with a status, now or when it was due."""
        self._db.execute(
            "UPDATE operations SET done = 1, status = ?, due = min(due, ?) WHERE id = ?", (status, now, identifier)
        )

    def end_endless(self, now: float) -> None:
        """Let operations that would never end be due now."""
        self._db.execute("UPDATE operations SET due = ? WHERE NOT done AND due = ?", (now, NEVER))

    def operation(self, identifier: str) -> Operation | None:
        """One operation."""
        found = self._operations("id = ?", identifier.lower())
        return found[0] if found else None

    def pending_operation(self, resource: str) -> Operation | None:
        """The operation that a resource is in, if any."""
        found = self._operations("NOT done AND resource = ?", resource.lower())
        return found[0] if found else None

    def due_operations(self, now: float) -> list[Operation]:
        """Operations whose time has come, the earliest first."""
        return self._operations("NOT done AND due <= ? ORDER BY due", now)

    def next_due(self) -> float | None:
        """When the next operation ends, or None."""
        row = self._db.execute("SELECT min(due) FROM operations WHERE NOT done").fetchone()
        return None if row[0] is None else float(row[0])

    def _operations(self, where: str, value: str | float) -> list[Operation]:
        rows = self._db.execute(f"SELECT * FROM operations WHERE {where}", (value,)).fetchall()
        return [
            Operation(
                id=row[0],
                resource=row[1],
                action=row[2],
                started=row[3],
                due=row[4],
                status=row[5],
                error=decode(row[6]) if row[6] else None,
                done=bool(row[7]),
            )
            for row in rows
        ]

    def add_event(self, at: float, subscription: str, group: str, resource: str, body: Json) -> None:
        """Append to the activity log."""
        self._db.execute(
            "INSERT INTO activity (at, subscription, grp, resource, body) VALUES (?, ?, ?, ?, ?)",
            (at, subscription.lower(), group.lower(), resource.lower(), encode(body)),
        )

    def events(
        self,
        subscription: str,
        group: str | None,
        resource: str | None,
        span: tuple[float, float],
        before: int,
        limit: int,
    ) -> tuple[list[tuple[float, Json]], int | None]:
        """Events of a span of time and when they were, the newest first; and before which key the next page begins."""
        clauses, values = ["subscription = ?", "at >= ?", "at <= ?", "seq < ?"], [subscription.lower(), *span, before]
        for clause, value in (("grp = ?", group), ("resource = ?", resource)):
            if value is not None:
                clauses.append(clause)
                values.append(value.lower())
        query = f"SELECT seq, at, body FROM activity WHERE {' AND '.join(clauses)} ORDER BY seq DESC LIMIT ?"
        rows = self._db.execute(query, (*values, limit + 1)).fetchall()
        more = int(rows[limit - 1][0]) if len(rows) > limit else None
        return [(at, decode(body)) for _, at, body in rows[:limit]], more

    def occurrence(self, fault: int, request: str) -> int:
        """How often a request has now met a fault, counting this time."""
        query = (
            "INSERT INTO fault_requests VALUES (?, ?, 1) "
            "ON CONFLICT (fault, request) DO UPDATE SET seen = seen + 1 RETURNING seen"
        )
        return int(self._db.execute(query, (fault, request)).fetchall()[0][0])

    def forget_occurrences(self, fault: int) -> None:
        """Forget which requests have met a fault."""
        self._db.execute("DELETE FROM fault_requests WHERE fault = ?", (fault,))

    def setting(self, key: str, default: Any) -> Any:
        """A value of the sandbox's own."""
        row = self._db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return decode(row[0]) if row else default

    def set(self, key: str, value: Any) -> None:
        """Keep a value of the sandbox's own."""
        self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, encode(value)))
