"""Every refusal of SQS's: one row each, with its code, its text, and where that was seen.

A row makes its exception: ``raise QUEUE_DOES_NOT_EXIST.error()``. Codes, shapes and statuses of modelled
errors are those of botocore 1.31.80's model of SQS, the last to list the query protocol's codes. The two
that are the service framework's own have shapes of its own.
"""

from __future__ import annotations

from typing import Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.errors import UNVERIFIED, Refusal

_RECORDED: Final = (
    "recorded from AWS: LocalStack's tests/aws/services/sqs/test_sqs.snapshot.json, 2024-04 to 2025-12"
)
_RECORDED_TASK: Final = (
    "recorded from AWS: LocalStack's tests/aws/services/sqs/test_sqs_move_task.snapshot.json, 2024-01"
)
_ASSERTED: Final = "asserted against AWS: LocalStack's tests/aws/services/sqs/test_sqs.py"
_PREFIX: Final = "AWS.SimpleQueueService."


def _reported(*threads: str) -> str:
    return "reported from AWS: " + ", ".join(f"github.com/{thread}" for thread in threads)


def _parameter(text: str, source: str) -> Refusal:
    shape = "com.amazon.coral.service#InvalidParameterValueException"
    return Refusal(shape, "InvalidParameterValue", text, source)


def _value(parameter: str, reason: str, source: str) -> Refusal:
    return _parameter(f"Value {{value}} for parameter {parameter} is invalid. Reason: {reason}", source)


# Queues
QUEUE_DOES_NOT_EXIST = Refusal(
    "QueueDoesNotExist",
    _PREFIX + "NonExistentQueue",
    "The specified queue does not exist.",
    _RECORDED,
    query_text="The specified queue does not exist for this wsdl version.",
)
QUEUE_NAME_EXISTS = Refusal(
    "QueueNameExists",
    "QueueAlreadyExists",
    "A queue already exists with the same name and a different value for attribute {attribute}",
    _RECORDED,
)
QUEUE_DELETED_RECENTLY = Refusal(
    "QueueDeletedRecently",
    _PREFIX + "QueueDeletedRecently",
    "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    _ASSERTED,
)
PURGE_IN_PROGRESS = Refusal(
    "PurgeQueueInProgress",
    _PREFIX + "PurgeQueueInProgress",
    "Only one PurgeQueue operation on {queue} is allowed every 60 seconds.",
    _RECORDED,
    403,
)
INVALID_ADDRESS = Refusal(
    "InvalidAddress",
    "InvalidAddress",
    "The address {url} is not valid for this endpoint.",
    _reported("jegesh/python-sqs-listener/issues/30", "aws/aws-sdk-net/issues/437"),
    404,
)
INVALID_NAME = _parameter(
    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    _reported("boto/botocore/issues/3058"),
)
INVALID_FIFO_NAME = _parameter(
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end "
    "with .fifo suffix and be 1 to 80 in length.",
    _reported("pulumi/pulumi-aws-native/issues/794"),
)
TOO_MANY_TAGS = _parameter("Too many tags added for queue {queue}.", UNVERIFIED)
TAG_KEY_LENGTH = _parameter("Tag keys must be between 1 and 128 characters in length.", UNVERIFIED)
TAG_VALUE_LENGTH = _parameter("Tag values must be between 0 and 256 characters in length.", UNVERIFIED)
MAX_RESULTS_RANGE = _value("MaxResults", "MaxResults must be an integer between 1 and {most}.", UNVERIFIED)
INVALID_TOKEN = _value("NextToken", "The token is not one that was given out.", UNVERIFIED)

# Attributes of queues
UNKNOWN_ATTRIBUTE = Refusal(
    "InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute {name}.", _RECORDED
)
FIFO_ATTRIBUTE = Refusal(
    "InvalidAttributeName",
    "InvalidAttributeName",
    "You can specify the {name} only when FifoQueue is set to true.",
    _RECORDED,
)
ONE_ENCRYPTION = Refusal(
    "InvalidAttributeName",
    "InvalidAttributeName",
    "You can use one type of server-side encryption (SSE) at one time. "
    "You can either enable KMS SSE or SQS SSE.",
    _RECORDED,
)
INVALID_ATTRIBUTE_VALUE = Refusal(
    "InvalidAttributeValue",
    "InvalidAttributeValue",
    "Invalid value for the parameter {name}.",
    _reported("hashicorp/terraform-provider-aws/pull/42209"),
)
TYPE_IS_FOR_LIFE = Refusal(
    "InvalidAttributeValue",
    "InvalidAttributeValue",
    "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    _RECORDED,
)
THROUGHPUT_NEEDS_SCOPE = Refusal(
    "InvalidAttributeValue",
    "InvalidAttributeValue",
    "Invalid value for the parameter FifoThroughputLimit. Reason: perMessageGroupId is allowed only when the "
    "value for DeduplicationScope is messageGroup.",
    UNVERIFIED,
)

# Dead letters
POLICY_IS_NO_MAP = _value("{name}", "{what} is not a valid JSON map.", UNVERIFIED)
POLICY_LACKS = _value(
    "RedrivePolicy",
    "Redrive policy does not contain mandatory attribute: {name}.",
    _reported("crossplane-contrib/provider-aws/issues/443", "ansible-collections/community.aws/issues/2321"),
)
MAX_RECEIVES_RANGE = _value(
    "RedrivePolicy",
    "Invalid value for maxReceiveCount: {count}, valid values are from 1 to "
    f"{limits.RECEIVES_MOST} both inclusive.",
    UNVERIFIED,
)
INVALID_TARGET = _value("RedrivePolicy", "Invalid value for deadLetterTargetArn.", _RECORDED)
NO_SUCH_TARGET = _value(
    "RedrivePolicy",
    "Dead letter target does not exist.",
    _reported("serverless/serverless/issues/5215"),
)
TARGET_OF_OTHER_TYPE = _value(
    "RedrivePolicy",
    "Dead-letter queue must be same type of queue as the source.",
    _reported("byu-oit/handel/issues/253"),
)
TARGET_FORBIDS = _value(
    "RedrivePolicy", "Queue does not have permission to use this dead-letter queue.", UNVERIFIED
)
INVALID_PERMISSION = _value(
    "RedriveAllowPolicy", "Redrive permission must be allowAll, denyAll or byQueue.", UNVERIFIED
)
INVALID_SOURCES = _value(
    "RedriveAllowPolicy",
    "Source queue ARNs, 1 to 10, go with the permission byQueue and with no other.",
    UNVERIFIED,
)

# Move tasks
TASK_IS_RUNNING = _parameter(
    "There is already a task running. "
    "Only one active task is allowed for a source queue arn at a given time.",
    _RECORDED_TASK,
)
SOURCE_IS_NO_DEAD_LETTER_QUEUE = _parameter(
    "Source queue must be configured as a Dead Letter Queue.", _RECORDED_TASK
)
DESTINATION_IS_SOURCE = _parameter(
    "Source queue arn and destination queue arn cannot be the same.", UNVERIFIED
)
DESTINATION_OF_OTHER_TYPE = _parameter("Source and destination must be the same type of queue.", UNVERIFIED)
RESOURCE_DOES_NOT_EXIST = Refusal(
    "ResourceNotFoundException",
    "ResourceNotFoundException",
    "The resource that you specified for the {name} parameter doesn't exist.",
    _RECORDED_TASK,
    404,
)
TASK_DOES_NOT_EXIST = Refusal(
    "ResourceNotFoundException",
    "ResourceNotFoundException",
    "Task does not exist.",
    _RECORDED_TASK,
    404,
)
INVALID_TASK_HANDLE = _parameter("Value for parameter TaskHandle is invalid.", _RECORDED_TASK)
MOVES_RANGE = _value(
    "MaxNumberOfMessagesPerSecond", f"Must be between 1 and {limits.MOVES}, if provided.", UNVERIFIED
)

# Requests
MISSING_PARAMETER = Refusal(
    "com.amazon.coral.service#MissingRequiredParameterException",
    "MissingParameter",
    "The request must contain the parameter {name}.",
    _RECORDED,
)
INVALID_ACTION = Refusal(
    "com.amazon.coral.service#UnknownOperationException",
    "InvalidAction",
    "The action {operation} is not valid for this endpoint.",
    _ASSERTED,
)
MALFORMED_REQUEST = Refusal(
    "com.amazon.coral.service#SerializationException",
    "MalformedInput",
    "The request could not be read: {reason}",
    UNVERIFIED,
)

# Messages
INVALID_MESSAGE_CONTENTS = Refusal(
    "InvalidMessageContents",
    "InvalidMessageContents",
    "Invalid characters found. Valid unicode characters are "
    "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    f"the code is {_ASSERTED}; the list is the API Reference's, SendMessage",
)
MESSAGE_TOO_LONG = _parameter(
    "One or more parameters are invalid. Reason: Message must be shorter than {limit_bytes} bytes.", _RECORDED
)
ENTRY_TOO_LONG = _parameter(
    "One or more parameters cannot be validated. Reason: Message must be shorter than {limit_bytes} bytes.",
    _RECORDED,
)
DELAY_RANGE = _value(
    "DelaySeconds",
    f"DelaySeconds must be >= 0 and <= {limits.DELAY}.",
    _reported("aws-samples/amazon-sqs-dlq-replay-backoff/issues/8"),
)
NOT_FOR_THIS_TYPE = _value(
    "{name}", "The request include parameter that is not valid for this queue type.", _RECORDED
)
INVALID_GROUP = _value(
    "{name}",
    "{name} can only include alphanumeric and punctuation characters. "
    f"1 to {limits.GROUP_LENGTH} in length.",
    _RECORDED,
)
DEDUPLICATION_IS_MISSING = _parameter(
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
    "explicitly",
    _RECORDED,
)
GROUP_IS_MISSING_IN_BATCH = _parameter("The request must contain the parameter MessageGroupId.", _RECORDED)

# Message attributes
TOO_MANY_ATTRIBUTES = _parameter(
    f"Number of message attributes [{{count}}] exceeds the allowed maximum [{limits.ATTRIBUTES}].",
    _reported("open-telemetry/opentelemetry-java/issues/7309"),
)
ATTRIBUTE_NAME_IS_EMPTY = _parameter(
    "The request must contain non-empty message attribute name.", _reported("aws/aws-sdk-php/issues/694")
)
ATTRIBUTE_NAME_TOO_LONG = _parameter(
    "Length of message attribute name must be less than 256 bytes.",
    UNVERIFIED,
)
INVALID_ATTRIBUTE_NAME = _parameter(
    "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, "
    "underscore (_), hyphen (-), and period (.) characters.",
    UNVERIFIED,
)
RESERVED_ATTRIBUTE_NAME = _parameter(
    "Invalid message (user) attribute name '{name}': names that begin with AWS. or Amazon. are reserved.",
    UNVERIFIED,
)
ATTRIBUTE_TYPE_IS_EMPTY = _parameter(
    "The message attribute '{name}' must contain non-empty message attribute type.",
    _reported("aws/aws-sdk-java/issues/1692"),
)
INVALID_ATTRIBUTE_TYPE = _parameter(
    "The type of message (user) attribute '{name}' is invalid. "
    "You must use only the following supported type prefixes: Binary, Number, String.",
    _reported("grafana/k6-jslib-aws/pull/65"),
)
ATTRIBUTE_VALUE_IS_EMPTY = _parameter(
    "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.", _RECORDED
)
ATTRIBUTE_IS_NO_NUMBER = _parameter(
    "Can't cast the value of message (user) attribute '{name}' to a number.",
    UNVERIFIED,
)
INVALID_ATTRIBUTE_CONTENTS = _parameter(
    "Invalid characters found in message (user) attribute '{name}'.", UNVERIFIED
)
INVALID_SYSTEM_ATTRIBUTE = _parameter(
    "Message system attribute name '{name}' is invalid; only AWSTraceHeader may be set.", UNVERIFIED
)
INVALID_TRACE = _parameter(
    "The message system attribute 'AWSTraceHeader' must be a non-empty String.", UNVERIFIED
)

# Receives and leases
RECEIVE_RANGE = _value("MaxNumberOfMessages", "Must be between 1 and 10, if provided.", _RECORDED)
WAIT_RANGE = _value("WaitTimeSeconds", f"Must be >= 0 and <= {limits.WAIT}, if provided.", _RECORDED)
LEASE_RANGE = _value("VisibilityTimeout", f"Must be >= 0 and <= {limits.LEASE}, if provided.", UNVERIFIED)
INVALID_ATTEMPT = _value(
    "ReceiveRequestAttemptId",
    "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to "
    f"{limits.GROUP_LENGTH} in length.",
    UNVERIFIED,
)
ATTEMPT_IS_OVER = _value(
    "ReceiveRequestAttemptId",
    "The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.",
    _reported("aws/aws-sdk-java/issues/2613"),
)
TOO_MANY_IN_FLIGHT = Refusal(
    "OverLimit",
    "OverLimit",
    "Too many messages have been received without being deleted. Please delete your received messages or let "
    "them timeout before receiving more.",
    _reported("Cbsoftware/pressureNET-server/issues/74"),
    403,
)
RECEIPT_HANDLE_IS_INVALID = Refusal(
    "ReceiptHandleIsInvalid",
    "ReceiptHandleIsInvalid",
    'The input receipt handle "{value}" is not a valid receipt handle.',
    _ASSERTED,
    404,
)
RECEIPT_HANDLE_HAS_EXPIRED = _value("ReceiptHandle", "The receipt handle has expired.", _RECORDED)
RECEIPT_HANDLE_HAS_NO_LEASE = _value(
    "ReceiptHandle",
    "Message does not exist or is not available for visibility timeout change.",
    _ASSERTED,
)
LEASE_TOO_LONG = _value(
    "VisibilityTimeout",
    f"Total VisibilityTimeout for the message is beyond the limit [{limits.LEASE} seconds]",
    _reported("aws/aws-sdk-net/issues/794", "localstack/localstack/issues/3956"),
)

# Batches
EMPTY_BATCH = Refusal(
    "EmptyBatchRequest",
    _PREFIX + "EmptyBatchRequest",
    "There should be at least one {entry} in the request.",
    _reported("aws/aws-sdk-php/issues/630"),
)
TOO_MANY_ENTRIES = Refusal(
    "TooManyEntriesInBatchRequest",
    _PREFIX + "TooManyEntriesInBatchRequest",
    "Maximum number of entries per request are 10. You have sent {count}.",
    _RECORDED,
)
IDS_NOT_DISTINCT = Refusal(
    "BatchEntryIdsNotDistinct",
    _PREFIX + "BatchEntryIdsNotDistinct",
    "Id {id} repeated.",
    _reported("elixir-broadway/broadway_sqs/issues/49"),
)
INVALID_BATCH_ENTRY_ID = Refusal(
    "InvalidBatchEntryId",
    _PREFIX + "InvalidBatchEntryId",
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
    "It can be at most 80 letters long.",
    _RECORDED,
)
BATCH_TOO_LONG = Refusal(
    "BatchRequestTooLong",
    _PREFIX + "BatchRequestTooLong",
    "Batch requests cannot be longer than {limit_bytes} bytes. You have sent {size_bytes} bytes.",
    _RECORDED,
)

# Permissions
LABEL_EXISTS = _value("Label", "Already exists.", _RECORDED)
LABEL_NOT_FOUND = _value("Label", "can't find label.", _RECORDED)
LABEL_NOT_IN_POLICY = _value("Label", "can't find label on existing policy.", UNVERIFIED)
INVALID_LABEL = _value(
    "Label", "It takes 1 to 80 alphanumeric characters, hyphens or underscores.", UNVERIFIED
)
INVALID_PRINCIPAL = _value(
    "PrincipalId", "Unable to verify.", _reported("amazon-archives/aws-sdk-core-ruby/issues/138")
)
ONLY_THE_OWNER = _value("ActionName", "Only the queue owner is allowed to invoke this action.", UNVERIFIED)
INVALID_ACTION_NAME = _value(
    "ActionName",
    "Please refer to the appropriate WSDL for a list of valid actions.",
    _reported("cloudtools/awacs/issues/34"),
)
TOO_MANY_ACTIONS = Refusal(
    "OverLimit",
    "OverLimit",
    f"{{count}} Actions were found, maximum allowed is {limits.PERMISSION_ACTIONS}.",
    UNVERIFIED,
    403,
)


def rows() -> dict[str, Refusal]:
    """All rows by name, in the order of this file."""
    return {name: row for name, row in globals().items() if isinstance(row, Refusal)}
