"""Every refusal of SQS's: one row each, with its code, its text, and where that was seen.

A row makes its exception: ``raise QUEUE_DOES_NOT_EXIST.error()``. Codes, shapes and statuses of modelled
errors are those of botocore 1.31.80's model of SQS, the last to list the query protocol's codes. The two
that are the service framework's own have shapes of its own.
"""

from __future__ import annotations

from typing import Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.errors import UNVERIFIED, Refusal
from cloudq_emulator.sqs.sources import (
    ASSERTED,
    CONNECTOR,
    KINESIS,
    MULE,
    QUOTED,
    RECORDED,
    RECORDED_TASK,
    reported,
)

_PREFIX: Final = "AWS.SimpleQueueService."


def _parameter(text: str, source: str, entry_text: str = "") -> Refusal:
    shape = "com.amazon.coral.service#InvalidParameterValueException"
    return Refusal(shape, "InvalidParameterValue", text, source, entry_text=entry_text)


def _value(parameter: str, reason: str, source: str, entry_text: str = "") -> Refusal:
    text = f"Value {{value}} for parameter {parameter} is invalid. Reason: {reason}"
    return _parameter(text, source, entry_text)


def _attribute(text: str, source: str) -> Refusal:
    return Refusal("InvalidAttributeValue", "InvalidAttributeValue", text, source)


def _unreadable(text: str, source: str) -> Refusal:
    shape = "com.amazon.coral.service#SerializationException"
    return Refusal(shape, "MalformedInput", text, source)


# Queues
QUEUE_DOES_NOT_EXIST = Refusal(
    "QueueDoesNotExist",
    _PREFIX + "NonExistentQueue",
    "The specified queue does not exist.",
    RECORDED,
    query_text="The specified queue does not exist for this wsdl version.",
)
QUEUE_NAME_EXISTS = Refusal(
    "QueueNameExists",
    "QueueAlreadyExists",
    "A queue already exists with the same name and a different value for attribute {attribute}",
    RECORDED,
)
QUEUE_HAS_OTHER_TAGS = Refusal(
    "QueueNameExists",
    "QueueAlreadyExists",
    "A queue already exists with the same name and different tags.",
    f"{UNVERIFIED}; that it is refused, and by which code, is "
    + reported("Bogdanp/dramatiq_sqs/pull/13", "awslabs/amazon-sqs-java-temporary-queues-client/pull/70"),
)
QUEUE_DELETED_RECENTLY = Refusal(
    "QueueDeletedRecently",
    _PREFIX + "QueueDeletedRecently",
    "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    ASSERTED,
)
PURGE_IN_PROGRESS = Refusal(
    "PurgeQueueInProgress",
    _PREFIX + "PurgeQueueInProgress",
    "Only one PurgeQueue operation on {queue} is allowed every 60 seconds.",
    RECORDED,
    403,
)
INVALID_ADDRESS = Refusal(
    "InvalidAddress",
    "InvalidAddress",
    "The address {url} is not valid for this endpoint.",
    reported("jegesh/python-sqs-listener/issues/30", "aws/aws-sdk-net/issues/437"),
    404,
)
NAME_IS_MISSING = _parameter(
    "Value for parameter QueueName is invalid. Reason: Must specify a queue name.", QUOTED
)
NAME_IS_EMPTY = _parameter("Queue name cannot be empty", QUOTED)
INVALID_NAME = _parameter(
    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    reported("boto/botocore/issues/3058"),
)
INVALID_FIFO_NAME = _parameter(
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end "
    "with .fifo suffix and be 1 to 80 in length.",
    reported("pulumi/pulumi-aws-native/issues/794"),
)
TOO_MANY_TAGS = _parameter("Too many tags added for queue {queue}.", UNVERIFIED)
TAG_KEY_LENGTH = _parameter("Tag keys must be between 1 and 128 characters in length.", CONNECTOR)
INVALID_TAG_KEY = _parameter(
    "Tag keys may only contain unicode letters, digits, whitespace, or one of these symbols: _ . : / = + - @",
    QUOTED,
)
TAG_VALUE_LENGTH = _parameter("Tag values must be between 0 and 256 characters in length.", UNVERIFIED)
INVALID_TAG_VALUE = _parameter(
    "Tag values may only contain unicode letters, digits, whitespace, or one of these symbols: "
    "_ . : / = + - @",
    QUOTED,
)
MAX_RESULTS_RANGE = _parameter(
    "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and "
    f"{limits.LIST}.",
    QUOTED,
)
TOKEN_NEEDS_MAX_RESULTS = _parameter(
    "MaxResults is a mandatory parameter when you provide a value for NextToken.", QUOTED
)
INVALID_TOKEN = _parameter("Invalid or expired next token.", QUOTED)
TOKEN_OF_OTHER_REQUEST = _parameter(
    "Invalid NextToken value. If you are passing in NextToken, you must not change the other request "
    "parameters.",
    QUOTED,
)

# Attributes of queues
UNKNOWN_ATTRIBUTE = Refusal(
    "InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute {name}.", RECORDED
)
FIFO_ATTRIBUTE = Refusal(
    "InvalidAttributeName",
    "InvalidAttributeName",
    "You can specify the {name} only when FifoQueue is set to true.",
    RECORDED,
)
ONE_ENCRYPTION = Refusal(
    "InvalidAttributeName",
    "InvalidAttributeName",
    "You can use one type of server-side encryption (SSE) at one time. "
    "You can either enable KMS SSE or SQS SSE.",
    RECORDED,
)
INVALID_ATTRIBUTE_VALUE = _attribute("Invalid value for the parameter {name}.", CONNECTOR)
TYPE_IS_FOR_LIFE = _attribute(
    "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.", RECORDED
)
THROUGHPUT_NEEDS_SCOPE = _attribute(
    "Invalid value for the parameter FifoThroughputLimit. Reason: perMessageGroupId is allowed only when the "
    "value for DeduplicationScope is messageGroup.",
    UNVERIFIED,
)

# Dead letters
POLICY_IS_NO_MAP = _attribute(
    "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
    "reported from AWS: a Terraform run of 2025 against SetQueueAttributes; the text also in "
    "github.com/Inqnuam/local-aws-sqs",
)
POLICY_HAS_MORE = _value(
    "RedrivePolicy",
    "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
    QUOTED,
)
POLICY_LACKS = _value(
    "RedrivePolicy",
    "Redrive policy does not contain mandatory attribute: {name}.",
    reported("crossplane-contrib/provider-aws/issues/443", "ansible-collections/community.aws/issues/2321"),
)
MAX_RECEIVES_RANGE = _value(
    "RedrivePolicy",
    "Invalid value for maxReceiveCount: {count}, valid values are from 1 to "
    f"{limits.RECEIVES_MOST} both inclusive.",
    QUOTED,
)
INVALID_TARGET = _value("RedrivePolicy", "Invalid value for deadLetterTargetArn.", RECORDED)
TARGET_IS_NO_QUEUE = _value(
    "RedrivePolicy", "Only SQS queues are valid resources for deadLetterTargetArn.", QUOTED
)
NO_SUCH_TARGET = _value(
    "RedrivePolicy",
    "Dead letter target does not exist.",
    reported("serverless/serverless/issues/5215"),
)
TARGET_OF_OTHER_TYPE = _value(
    "RedrivePolicy",
    "Dead-letter queue must be same type of queue as the source.",
    reported("byu-oit/handel/issues/253"),
)
TARGET_FORBIDS = _value(
    "RedrivePolicy", "Queue does not have permission to use this dead-letter queue.", UNVERIFIED
)
INVALID_ALLOW_POLICY = _attribute(
    "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow "
    "policy, as it\u2019s in an unsupported format.",
    QUOTED,
)
SOURCES_NEED_BY_QUEUE = _value(
    "RedriveAllowPolicy",
    "Amazon SQS can't create the redrive allow policy. To specify one or more source queue ARNs, you must "
    "set redrivePermission to byQueue.",
    QUOTED,
)
BY_QUEUE_NEEDS_SOURCES = _value(
    "RedriveAllowPolicy",
    "Amazon SQS can't create the redrive allow policy. When you specify the byQueue permission type, you "
    "must also specify one or more sourceQueueArns values.",
    QUOTED,
)
TOO_MANY_SOURCES = _value(
    "RedriveAllowPolicy",
    "Amazon SQS can't create the redrive allow policy. The maximum number of source queue ARNs you can "
    f"specify is {limits.REDRIVE_SOURCES}.",
    QUOTED,
)

# Move tasks
TASK_IS_RUNNING = _parameter(
    "There is already a task running. "
    "Only one active task is allowed for a source queue arn at a given time.",
    RECORDED_TASK,
)
SOURCE_IS_NO_DEAD_LETTER_QUEUE = _parameter(
    "Source queue must be configured as a Dead Letter Queue.", RECORDED_TASK
)
DESTINATION_IS_SOURCE = _parameter("Source queue arn and destination queue arn cannot be the same.", QUOTED)
DESTINATION_OF_OTHER_TYPE = _parameter(
    "The source queue and destination queue must be of the same queue type.", QUOTED
)
ARN_IS_NONE = _parameter(
    "You must use this format to specify the {name}: "
    "arn:<partition>:<service>:<region>:<account-id>:<resource-id>",
    QUOTED,
)
RESOURCE_DOES_NOT_EXIST = Refusal(
    "ResourceNotFoundException",
    "ResourceNotFoundException",
    "The resource that you specified for the {name} parameter doesn't exist.",
    RECORDED_TASK,
    404,
)
TASK_DOES_NOT_EXIST = Refusal(
    "ResourceNotFoundException",
    "ResourceNotFoundException",
    "Task does not exist.",
    RECORDED_TASK,
    404,
)
INVALID_TASK_HANDLE = _parameter("Value for parameter TaskHandle is invalid.", RECORDED_TASK)
MOVES_RANGE = _parameter(
    "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's "
    f"between 1 and {limits.MOVES}.",
    QUOTED,
)
TASKS_RANGE = _parameter(
    "Value for parameter MaxResults is invalid. Reason: You must enter a number that's between 1 and "
    f"{limits.TASKS}.",
    QUOTED,
)

# Requests
MISSING_PARAMETER = Refusal(
    "com.amazon.coral.service#MissingRequiredParameterException",
    "MissingParameter",
    "The request must contain the parameter {name}.",
    RECORDED,
)
INVALID_ACTION = Refusal(
    "com.amazon.coral.service#UnknownOperationException",
    "InvalidAction",
    "The action {operation} is not valid for this endpoint.",
    ASSERTED,
)
MALFORMED_REQUEST = _unreadable("The request could not be read: {reason}", UNVERIFIED)
NO_LIST_EXPECTED = _unreadable("Start of list found where not expected", KINESIS)
NO_MAP_EXPECTED = _unreadable("Start of structure or map found where not expected.", KINESIS)
LIST_EXPECTED = _unreadable("Expected list or null", KINESIS)
MAP_EXPECTED = _unreadable("Expected map or null", KINESIS)
STRUCTURE_EXPECTED = _unreadable("Expected null", KINESIS)
TEXT_EXPECTED = _unreadable("Unrecognized collection type class java.lang.String", QUOTED)
INTEGER_EXPECTED = _unreadable(
    "{value} can not be converted to an Integer",
    reported("async-aws/aws/issues/1667", "symfony/symfony/pull/53910"),
)

# Messages
INVALID_MESSAGE_CONTENTS = Refusal(
    "InvalidMessageContents",
    "InvalidMessageContents",
    "Invalid binary character '#x{code:X}' was found in the message body, the set of allowed characters is "
    "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].",
    reported(
        "Particular/NServiceBus.AmazonSQS/issues/2630",
        "psd401/aistudio/issues/1525",
        "asim/nitro-plugins/issues/437",
    ),
)
EMPTY_VALUE = Refusal(
    "EmptyValue",
    "EmptyValue",
    "No Value Found for SendMessageBatchRequestEntry.{number}.MessageBody.",
    f"{reported('redpanda-data/connect/issues/1070')}; the code is {CONNECTOR}",
    is_modelled=False,
)
BODY_IS_MISSING = _parameter(
    "The request must contain the parameter SendMessageBatchRequestEntry.{number}.MessageBody.", QUOTED
)
MESSAGE_TOO_LONG = _parameter(
    "One or more parameters are invalid. Reason: Message must be shorter than {limit_bytes} bytes.",
    RECORDED,
    "One or more parameters cannot be validated. Reason: Message must be shorter than {limit_bytes} bytes.",
)

DELAY_RANGE = _value("DelaySeconds", f"DelaySeconds must be >= 0 and <= {limits.DELAY}.", CONNECTOR)
NOT_FOR_THIS_TYPE = _value(
    "{name}",
    "The request include parameter that is not valid for this queue type.",
    f"{RECORDED}; in a batch: github.com/aws/aws-sdk-js/issues/3187",
    "The request include parameter that is not valid for this queue type",
)
INVALID_GROUP = _value(
    "{name}",
    "{name} can only include alphanumeric and punctuation characters. "
    f"1 to {limits.GROUP_LENGTH} in length.",
    RECORDED,
    "{name} can only include alphanumeric and punctuation characters. "
    f"1 to {limits.GROUP_LENGTH} in length",
)
DEDUPLICATION_IS_MISSING = _parameter(
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
    "explicitly",
    RECORDED,
)
GROUP_IS_MISSING_IN_BATCH = _parameter("The request must contain the parameter MessageGroupId.", RECORDED)

# Message attributes
TOO_MANY_ATTRIBUTES = _parameter(
    f"Number of message attributes [{{count}}] exceeds the allowed maximum [{limits.ATTRIBUTES}].",
    reported("open-telemetry/opentelemetry-java/issues/7309"),
)
ATTRIBUTE_NAME_IS_EMPTY = _parameter(
    "The request must contain non-empty message {kind} attribute names.", QUOTED
)
ATTRIBUTE_NAME_TOO_LONG = _parameter(
    f"Message {{kind}} attribute name must be shorter than {limits.ATTRIBUTE_NAME_LENGTH} bytes.", QUOTED
)
ATTRIBUTE_TYPE_TOO_LONG = _parameter(
    f"Message {{kind}} attribute type must be shorter than {limits.ATTRIBUTE_NAME_LENGTH} bytes.", QUOTED
)
ATTRIBUTE_NAME_BEGINS_WITH_DOT = _parameter(
    "Message {kind} attribute name must not begin with character '.'.", QUOTED
)
ATTRIBUTE_NAME_ENDS_WITH_DOT = _parameter(
    "Message {kind} attribute name must not end with character '.'.", QUOTED
)
ATTRIBUTE_NAME_HAS_TWO_DOTS = _parameter(
    "Message {kind} attribute name must not have successive '.' characters.", QUOTED
)
INVALID_ATTRIBUTE_NAME = _parameter(
    "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, "
    "underscore (_), hyphen (-), and period (.) characters.",
    UNVERIFIED,
)
RESERVED_ATTRIBUTE_NAME = _parameter(
    "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. "
    "These strings are reserved for internal use.",
    QUOTED,
)
ATTRIBUTE_IS_EMPTY = _parameter(
    "The message {kind} attribute '{name}' must contain a non-empty message attribute value.", QUOTED
)
ATTRIBUTE_TYPE_IS_EMPTY = _parameter(
    "The message {kind} attribute '{name}' must contain a non-empty message attribute type.", QUOTED
)
INVALID_ATTRIBUTE_TYPE = _parameter(
    "The type of message {kind} attribute '{name}' is invalid. "
    "You must use only the following supported type prefixes: Binary, Number, String.",
    CONNECTOR,
)
ATTRIBUTE_VALUE_IS_EMPTY = _parameter(
    "Message {kind} attribute '{name}' must contain a non-empty value of type '{type}'.", RECORDED
)
ATTRIBUTE_HAS_TWO_VALUES = _parameter("Message {kind} attribute '{name}' must have a single value.", QUOTED)
ATTRIBUTE_OF_OTHER_FIELD = _parameter(
    "Message {kind} attribute '{name}' with type '{type}' must use field '{field}'.", QUOTED
)
ATTRIBUTE_IS_A_LIST = Refusal(
    "UnsupportedOperation",
    _PREFIX + "UnsupportedOperation",
    "Message attribute list values in SendMessage operation are not supported.",
    QUOTED,
)
ATTRIBUTE_IS_NO_NUMBER = _parameter(
    "Can't cast the value of message {kind} attribute '{name}' to a number.", QUOTED
)
INVALID_ATTRIBUTE_CONTENTS = _parameter(
    "Invalid characters found in message (user) attribute '{name}'.", UNVERIFIED
)
INVALID_SYSTEM_ATTRIBUTE = _parameter("Message system attribute name '{name}' is invalid.", QUOTED)


# Receives and leases
RECEIVE_RANGE = _value("MaxNumberOfMessages", "Must be between 1 and 10, if provided.", RECORDED)
WAIT_RANGE = _value("WaitTimeSeconds", f"Must be >= 0 and <= {limits.WAIT}, if provided.", RECORDED)
LEASE_RANGE = _value("VisibilityTimeout", f"Must be >= 0 and <= {limits.LEASE}, if provided.", QUOTED)
CHANGE_RANGE = _value(
    "VisibilityTimeout",
    f"Must be between 0 and {limits.LEASE}.",
    QUOTED,
    "Value {value} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer "
    f"between 0 and {limits.LEASE}.",
)
INVALID_ATTEMPT = _value(
    "ReceiveRequestAttemptId",
    "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to "
    f"{limits.GROUP_LENGTH} in length.",
    UNVERIFIED,
)
ATTEMPT_IS_OVER = _value(
    "ReceiveRequestAttemptId",
    "The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.",
    reported("aws/aws-sdk-java/issues/2613"),
)
TOO_MANY_IN_FLIGHT = Refusal(
    "OverLimit",
    "OverLimit",
    "Too many messages have been received without being deleted. Please delete your received messages or let "
    "them timeout before receiving more.",
    reported("Cbsoftware/pressureNET-server/issues/74"),
    403,
)
RECEIPT_HANDLE_IS_INVALID = Refusal(
    "ReceiptHandleIsInvalid",
    "ReceiptHandleIsInvalid",
    'The input receipt handle "{value}" is not a valid receipt handle.',
    f"{ASSERTED}; the status is {CONNECTOR}",
    404,
)
RECEIPT_HANDLE_HAS_EXPIRED = _value("ReceiptHandle", "The receipt handle has expired.", RECORDED)
RECEIPT_HANDLE_HAS_NO_LEASE = _value(
    "ReceiptHandle",
    "Message does not exist or is not available for visibility timeout change.",
    ASSERTED,
)
LEASE_TOO_LONG = _value(
    "VisibilityTimeout",
    f"Total VisibilityTimeout for the message is beyond the limit [{limits.LEASE} seconds]",
    reported("aws/aws-sdk-net/issues/794", "localstack/localstack/issues/3956"),
)

# Batches
EMPTY_BATCH = Refusal(
    "EmptyBatchRequest",
    _PREFIX + "EmptyBatchRequest",
    "There should be at least one {entry} in the request.",
    CONNECTOR,
)
TOO_MANY_ENTRIES = Refusal(
    "TooManyEntriesInBatchRequest",
    _PREFIX + "TooManyEntriesInBatchRequest",
    "Maximum number of entries per request are 10. You have sent {count}.",
    RECORDED,
)
IDS_NOT_DISTINCT = Refusal(
    "BatchEntryIdsNotDistinct",
    _PREFIX + "BatchEntryIdsNotDistinct",
    "Id {id} repeated.",
    CONNECTOR,
)
INVALID_BATCH_ENTRY_ID = Refusal(
    "InvalidBatchEntryId",
    _PREFIX + "InvalidBatchEntryId",
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
    "It can be at most 80 letters long.",
    RECORDED,
)
BATCH_TOO_LONG = Refusal(
    "BatchRequestTooLong",
    _PREFIX + "BatchRequestTooLong",
    "Batch requests cannot be longer than {limit_bytes} bytes. You have sent {size_bytes} bytes.",
    RECORDED,
)

# Permissions
LABEL_EXISTS = _value("Label", "Already exists.", RECORDED)
LABEL_NOT_FOUND = _value("Label", "can't find label.", RECORDED)
LABEL_NOT_IN_POLICY = _value("Label", "can't find label on existing policy.", MULE)
INVALID_LABEL = _value(
    "Label", "It takes 1 to 80 alphanumeric characters, hyphens or underscores.", UNVERIFIED
)
INVALID_PRINCIPAL = _value(
    "PrincipalId", "Unable to verify.", reported("amazon-archives/aws-sdk-core-ruby/issues/138")
)
ONLY_THE_OWNER = _value("ActionName", "Only the queue owner is allowed to invoke this action.", QUOTED)
INVALID_ACTION_NAME = _value(
    "ActionName",
    "Please refer to the appropriate WSDL for a list of valid actions.",
    reported("cloudtools/awacs/issues/34", "awsdocs/iam-user-guide/issues/181"),
)
TOO_MANY_ACTIONS = Refusal(
    "OverLimit",
    "OverLimit",
    f"{{count}} Actions were found, maximum allowed is {limits.PERMISSION_ACTIONS}.",
    UNVERIFIED,
    403,
)
TOO_MANY_STATEMENTS = Refusal(
    "OverLimit",
    "OverLimit",
    f"{{count}} Statements were found, maximum allowed is {limits.POLICY_STATEMENTS}.",
    QUOTED,
    403,
)


def rows() -> dict[str, Refusal]:
    """All rows by name, in the order of this file."""
    return {name: row for name, row in globals().items() if isinstance(row, Refusal)}
