"""What SQS answers when it refuses: one row for each refusal, the texts as AWS words them.

A row makes its exception: ``raise QUEUE_DOES_NOT_EXIST.error()``. Codes, shapes and statuses come from
the "Errors" section of each operation in the Amazon SQS API Reference (read 2026-11); a row whose text has
another source says so.
"""

from __future__ import annotations

from dataclasses import dataclass


class SqsError(Exception):
    """A refusal, as SQS words it.

    Args:
        code: The query protocol's error code, which SDKs show (``AWS.SimpleQueueService.NonExistentQueue``).
        message: SQS's own text.
        status: The HTTP status.
        shape: The JSON protocol's ``__type`` (``com.amazonaws.sqs#QueueDoesNotExist``).
        query_message: The query protocol's text, where it differs.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, *, shape: str = "", query_message: str = ""
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.shape = shape or f"com.amazonaws.sqs#{code}"
        self.query_message = query_message or message


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row: how SQS words one refusal.

    Args:
        shape: The error's shape in the JSON protocol.
        code: Its code in the query protocol.
        text: Its message; braces are filled when it is raised.
        status: Its HTTP status.
        query_text: The query protocol's message, where it differs.
    """

    shape: str
    code: str
    text: str
    status: int = 400
    query_text: str = ""

    def error(self, **fields: object) -> SqsError:
        """Make the exception, its text filled with `fields`."""
        return SqsError(
            self.code,
            self.text.format_map(fields),
            self.status,
            shape=self.shape if "#" in self.shape else f"com.amazonaws.sqs#{self.shape}",
            query_message=self.query_text,
        )


def invalid_value(value: object, parameter: str, reason: str) -> SqsError:
    """The refusal of a parameter's value, the one that most operations share."""
    return INVALID_PARAMETER.error(
        text=f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    )


_PREFIX = "AWS.SimpleQueueService."

# Queues
QUEUE_DOES_NOT_EXIST = Refusal(
    "QueueDoesNotExist",
    _PREFIX + "NonExistentQueue",
    "The specified queue does not exist.",
    query_text="The specified queue does not exist for this wsdl version.",
)
QUEUE_NAME_EXISTS = Refusal(
    "QueueNameExists",
    "QueueAlreadyExists",
    "A queue already exists with the same name and a different value for attribute {attribute}",
)
QUEUE_DELETED_RECENTLY = Refusal(
    "QueueDeletedRecently",
    _PREFIX + "QueueDeletedRecently",
    "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
)
PURGE_IN_PROGRESS = Refusal(
    "PurgeQueueInProgress",
    _PREFIX + "PurgeQueueInProgress",
    "Only one PurgeQueue operation on {queue} is allowed every 60 seconds.",
    403,
)
INVALID_ADDRESS = Refusal(
    "InvalidAddress", "InvalidAddress", "The address {url} is not valid for this endpoint.", 404
)
INVALID_ATTRIBUTE_NAME = Refusal("InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute {name}.")
INVALID_ATTRIBUTE_VALUE = Refusal(
    "InvalidAttributeValue", "InvalidAttributeValue", "Invalid value for the parameter {name}."
)

# Parameters: these two are the service framework's, so their shapes are not SQS's own.
INVALID_PARAMETER = Refusal(
    "com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue", "{text}"
)
MISSING_PARAMETER = Refusal(
    "com.amazon.coral.service#MissingRequiredParameterException",
    "MissingParameter",
    "The request must contain the parameter {name}.",
)
UNSUPPORTED_OPERATION = Refusal("UnsupportedOperation", _PREFIX + "UnsupportedOperation", "{text}")
INVALID_ACTION = Refusal(
    "com.amazon.coral.service#UnknownOperationException",
    "InvalidAction",
    "The action {operation} is not valid for this endpoint.",
)
MALFORMED_REQUEST = Refusal(
    "com.amazon.coral.service#SerializationException",
    "MalformedInput",
    "The request could not be read: {reason}",
)

# Messages
INVALID_MESSAGE_CONTENTS = Refusal(
    "InvalidMessageContents",
    "InvalidMessageContents",
    "Invalid characters found. Valid unicode characters are "
    "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
)
RECEIPT_HANDLE_IS_INVALID = Refusal(
    "ReceiptHandleIsInvalid",
    "ReceiptHandleIsInvalid",
    'The input receipt handle "{receipt}" is not a valid receipt handle.',
    404,
)
MESSAGE_NOT_IN_FLIGHT = Refusal(
    "MessageNotInflight", _PREFIX + "MessageNotInflight", "The message referred to is not in flight."
)
OVER_LIMIT = Refusal("OverLimit", "OverLimit", "{text}", 403)

# Batches
EMPTY_BATCH = Refusal(
    "EmptyBatchRequest",
    _PREFIX + "EmptyBatchRequest",
    "There should be at least one {entry} in the request.",
)
TOO_MANY_ENTRIES = Refusal(
    "TooManyEntriesInBatchRequest",
    _PREFIX + "TooManyEntriesInBatchRequest",
    "Maximum number of entries per request are 10. You have sent {count}.",
)
IDS_NOT_DISTINCT = Refusal(
    "BatchEntryIdsNotDistinct", _PREFIX + "BatchEntryIdsNotDistinct", "Id {id} repeated."
)
INVALID_BATCH_ENTRY_ID = Refusal(
    "InvalidBatchEntryId",
    _PREFIX + "InvalidBatchEntryId",
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
    "It can be at most 80 letters long.",
)
BATCH_TOO_LONG = Refusal(
    "BatchRequestTooLong",
    _PREFIX + "BatchRequestTooLong",
    "Batch requests cannot be longer than {limit_bytes} bytes. You have sent {size_bytes} bytes.",
)
