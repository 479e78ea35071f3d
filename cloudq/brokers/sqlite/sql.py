"""The SQLite broker's tables and statements.

Every search goes along an index, so that the time it takes hardly grows with the queue's depth.
"""

from __future__ import annotations

from cloudq.sqlite import Schema

SCHEMA = Schema(
    part="queues",
    version=1,
    script="""
CREATE TABLE cloudq_queue (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE cloudq_message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- in order of arrival; never used again, as receipts name it
    queue INTEGER NOT NULL,
    is_behind INTEGER NOT NULL,           -- whether another of its FIFO group stands before it
    is_leased INTEGER NOT NULL DEFAULT 0,
    receive_count INTEGER NOT NULL DEFAULT 0,
    lease_count INTEGER NOT NULL DEFAULT 0, -- never falls, though an uncounted release lowers the above
    due_at REAL NOT NULL,                 -- the end of its delay or of its lease
    sent_at REAL NOT NULL,
    message_id TEXT NOT NULL,
    group_id TEXT,
    fifo_group TEXT,                      -- NULL in a standard queue
    attributes TEXT,
    reason TEXT,
    body BLOB NOT NULL                    -- last, so that the rest is read without it
);

CREATE INDEX cloudq_message_due ON cloudq_message (queue, is_behind, due_at, sent_at);

CREATE INDEX cloudq_message_group ON cloudq_message (queue, fifo_group) WHERE fifo_group IS NOT NULL;

CREATE TABLE cloudq_deduplication (
    queue INTEGER NOT NULL,
    deduplication_id TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (queue, deduplication_id)
) WITHOUT ROWID;

CREATE INDEX cloudq_deduplication_expires ON cloudq_deduplication (expires_at)
""",
    additions=(
        Schema(
            part="topics",
            version=1,
            script="""
CREATE TABLE cloudq_subscription (
    topic TEXT NOT NULL,
    queue INTEGER NOT NULL,
    PRIMARY KEY (topic, queue)
) WITHOUT ROWID
""",
        ),
    ),
)

DECLARE = "INSERT OR IGNORE INTO cloudq_queue (name) VALUES (?)"
SUBSCRIBE = """
INSERT OR IGNORE INTO cloudq_subscription (topic, queue) SELECT ?, id FROM cloudq_queue WHERE name = ?
"""
SUBSCRIBERS = """
SELECT q.id, q.name FROM cloudq_subscription s JOIN cloudq_queue q ON q.id = s.queue WHERE s.topic = ?
"""
QUEUE = "SELECT id FROM cloudq_queue WHERE name = ?"
QUEUES = "SELECT name FROM cloudq_queue ORDER BY name"
PURGE = "DELETE FROM cloudq_message WHERE queue = ?"
PURGE_REPEATS = "DELETE FROM cloudq_deduplication WHERE queue = ?"

SEND = """
INSERT INTO cloudq_message
    (queue, is_behind, due_at, sent_at, message_id, group_id, fifo_group, attributes, reason, body)
VALUES (
    :queue, EXISTS (SELECT 1 FROM cloudq_message WHERE queue = :queue AND fifo_group = :fifo_group),
    :due_at, :sent_at, :message_id, :group_id, :fifo_group, :attributes, :reason, :body
)
"""
FORGET_REPEATS = "DELETE FROM cloudq_deduplication WHERE expires_at <= ?"
IS_FIRST = "INSERT OR IGNORE INTO cloudq_deduplication VALUES (?, ?, ?)"

NEXT_DUE = "SELECT due_at FROM cloudq_message WHERE queue = ? AND is_behind = 0 ORDER BY due_at LIMIT 1"
LEASE = """
UPDATE cloudq_message
SET is_leased = 1, receive_count = receive_count + 1, lease_count = lease_count + 1, due_at = :until
WHERE id IN (
    SELECT id FROM cloudq_message WHERE queue = :queue AND is_behind = 0 AND due_at <= :now
    ORDER BY due_at, sent_at, id LIMIT :limit
)
RETURNING id, lease_count, receive_count, message_id, body, group_id, sent_at, attributes, reason
"""

# A receipt is (id, lease_count): the next receive makes it worthless, and so does the lease's end.
ACK = """
DELETE FROM cloudq_message WHERE id = ? AND lease_count = ? AND is_leased AND due_at > ?
RETURNING queue, fifo_group
"""
EXTEND = """
UPDATE cloudq_message SET due_at = ?
WHERE id = ? AND lease_count = ? AND is_leased AND due_at > ?
"""
RELEASE = """
UPDATE cloudq_message
SET is_leased = 0, due_at = ?, body = coalesce(?, body), receive_count = receive_count - ?
WHERE id = ? AND lease_count = ? AND is_leased AND due_at > ?
"""
TAKE_OUT = """
DELETE FROM cloudq_message WHERE id = ? AND lease_count = ? AND is_leased AND due_at > ?
RETURNING queue, fifo_group, sent_at, message_id, group_id, attributes, body
"""
NEXT_OF_GROUP = """
UPDATE cloudq_message SET is_behind = 0
WHERE id = (SELECT min(id) FROM cloudq_message WHERE queue = ? AND fifo_group = ?)
"""

# A message stands behind others in a FIFO queue only, and there ids are in the order of arrival.
PEEK = """
SELECT id, 0, receive_count, message_id, body, group_id, sent_at, attributes, reason FROM cloudq_message
WHERE queue = ? AND is_behind = 0 AND due_at <= ? ORDER BY due_at, sent_at, id LIMIT ?
"""
PEEK_FIFO = """
SELECT id, 0, receive_count, message_id, body, group_id, sent_at, attributes, reason FROM cloudq_message
WHERE queue = ? AND is_behind IN (0, 1) AND due_at <= ? ORDER BY id LIMIT ?
"""

READY = """
SELECT count(*), min(sent_at) FROM cloudq_message WHERE queue = ? AND is_behind IN (0, 1) AND due_at <= ?
"""
NOT_READY = """
SELECT count(*), coalesce(sum(is_leased), 0) FROM cloudq_message
WHERE queue = ? AND is_behind IN (0, 1) AND due_at > ?
"""
COUNT = "SELECT count(*) FROM cloudq_message WHERE queue = ?"
