"""SQS's quotas, each with its source.

Dev: Amazon SQS Developer Guide, API: Amazon SQS API Reference; both read 2026-11.
"""

from __future__ import annotations

from typing import Final

# Messages
MESSAGE_BYTES: Final = 1_048_576
"""A message's body and attributes, and a whole batch's. Source: Dev, Message quotas."""
MESSAGE_BYTES_LEAST: Final = 1_024
"""The least `MaximumMessageSize` a queue may have. Source: API, SetQueueAttributes."""
ATTRIBUTES: Final = 10
"""Message attributes of one message. Source: Dev, Message quotas."""
ATTRIBUTE_NAME_LENGTH: Final = 256
"""Characters of a message attribute's name and of its type. Source: Dev, Message metadata."""
DELAY: Final = 900
"""Seconds that a message or a queue may delay. Source: Dev, Message quotas."""
LEASE: Final = 43_200
"""Seconds of visibility timeout, in all since the receive. Source: Dev, Message quotas."""
IN_FLIGHT: Final = 120_000
"""Messages received and not deleted, of one queue. Source: Dev, Message quotas."""
NOISY_COUNT: Final = 30
"""Messages in flight that a noisy group has at least. Source: Dev, How fair queues work."""
NOISY_SHARE: Final = 0.1
"""The share of what is in flight above which a group is noisy. Source: Dev, How fair queues work."""
RECEIVE: Final = 10
"""Messages of one ReceiveMessage. Source: API, ReceiveMessage."""
WAIT: Final = 20
"""Seconds of a long poll. Source: API, ReceiveMessage."""
RETENTION_LEAST: Final = 60
"""Seconds that a message is kept at least. Source: API, SetQueueAttributes."""
RETENTION_MOST: Final = 1_209_600
"""Seconds that a message is kept at most. Source: API, SetQueueAttributes."""
RETENTION_DEFAULT: Final = 345_600
"""Seconds that a message is kept unless the queue says otherwise. Source: API, SetQueueAttributes."""
LEASE_DEFAULT: Final = 30
"""Seconds of visibility timeout unless the queue says otherwise. Source: API, SetQueueAttributes."""
GROUP_LENGTH: Final = 128
"""Characters of a message group's id and of a deduplication id. Source: API, SendMessage."""
DEDUPLICATION: Final = 300.0
"""Seconds in which a second message with one deduplication id isn't delivered. Source: API, SendMessage."""

ATTEMPT: Final = 300.0
"""Seconds in which a receive may be repeated by its attempt id. Source: API, ReceiveMessage."""

# Batches
BATCH: Final = 10
"""Entries of a batch. Source: Dev, Message quotas."""

# Move tasks
MOVES: Final = 500
"""Messages that a move task moves in a second at most. Source: API, StartMessageMoveTask."""
TASKS: Final = 10
"""Tasks that ListMessageMoveTasks shows at most. Source: API, ListMessageMoveTasks."""

# Queues
RECREATE: Final = 60.0
"""Seconds after a delete until its name is free. Source: API, DeleteQueue."""
PROPAGATION: Final = 60.0
"""Seconds that a change of attributes may take. Source: API, SetQueueAttributes."""
PURGE: Final = 60.0
"""Seconds between two purges of a queue. Source: API, PurgeQueue."""
RECEIVES_MOST: Final = 1_000
"""The most `maxReceiveCount` may be. Source: API, SetQueueAttributes."""
REDRIVE_SOURCES: Final = 10
"""Source queues that a ``byQueue`` policy may name. Source: API, SetQueueAttributes."""
LIST: Final = 1_000
"""Queues in one page of a list. Source: API, ListQueues."""
PERMISSION_ACTIONS: Final = 7
"""Actions of one AddPermission. Source: Dev, Policy quotas."""
POLICY_STATEMENTS: Final = 20
"""Statements of a queue's policy. Source: Dev, Policy quotas."""
TAGS: Final = 50
"""Tags of a queue. Source: Dev, Queue quotas."""
TAG_KEY_LENGTH: Final = 128
"""Characters of a tag's key. Source: Dev, Queue quotas."""
TAG_VALUE_LENGTH: Final = 256
"""Characters of a tag's value. Source: Dev, Queue quotas."""
KMS_REUSE_LEAST: Final = 60
"""Seconds that a data key is reused at least. Source: API, SetQueueAttributes."""
KMS_REUSE_MOST: Final = 86_400
"""Seconds that a data key is reused at most. Source: API, SetQueueAttributes."""
