"""What botocore raises, in cloudq's words: none of its exceptions goes further than here."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# botocore ships no types.

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.refusals import Refusal, error_of
from cloudq.brokers.sqs.transport import AnswerLostError
from cloudq.errors import BrokerError, BrokerUnavailableError, CloudqError, ConfigurationError

__all__ = ["translated"]

_NO_CREDENTIALS = (
    "Give some in one of boto3's ways: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment; "
    "`aws configure` or `aws sso login`, with AWS_PROFILE; a role of the Lambda function, the ECS task or "
    "the instance. An emulator takes any: `cloudq emulate -- COMMAND` sets them."
)
_NO_REGION = (
    "No AWS region was found. Name it in the broker URL (sqs://eu-central-1), in AWS_REGION or "
    "AWS_DEFAULT_REGION, or in the profile."
)


@contextmanager
def translated(
    operation: str, full_name: str, names: Names, place: Callable[[], str], service: str = "sqs"
) -> Generator[None]:
    """Raise what botocore raises within as an error of cloudq.

    Args:
        operation: What is asked of SQS.
        full_name: The queue's name on AWS; empty where it is about none.
        names: What makes that the queue's own name.
        place: Says where SQS is, once a client knows.
        service: AWS's name for what is asked.
    """
    try:
        yield
    except CloudqError:
        raise
    except Exception as error:
        from botocore import exceptions as boto

        if isinstance(error, boto.ClientError):
            raise error_of(_refusal(error, operation, full_name, place(), service), names) from error
        queue = names.short(full_name) or None
        said = _configuration(error) or _network(error, operation, queue, place)
        if said is None:
            raise
        raise said from error


def _refusal(error: Any, operation: str, full_name: str, place: str, service: str) -> Refusal:
    said = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    code, text = said.get("Code", ""), said.get("Message", "")
    return Refusal(operation, full_name, code, text, int(status), place, service)


def _configuration(error: Exception) -> CloudqError | None:
    from botocore import exceptions as boto

    match error:
        case boto.NoCredentialsError():
            return ConfigurationError(f"No AWS credentials were found. {_NO_CREDENTIALS}")
        case boto.PartialCredentialsError():
            return ConfigurationError(f"{error}. {_NO_CREDENTIALS}")
        case boto.NoRegionError():
            return ConfigurationError(_NO_REGION)
        case boto.ProfileNotFound() | boto.ConfigParseError() | boto.InvalidRegionError():
            return ConfigurationError(f"AWS's configuration doesn't fit: {error}")
        case boto.CredentialRetrievalError() | boto.MetadataRetrievalError():
            return BrokerUnavailableError(f"AWS credentials can't be had now: {error}")
        case _:
            return None


def _network(
    error: Exception, operation: str, queue: str | None, place: Callable[[], str]
) -> CloudqError | None:
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    # Before the request was sent, so that it was surely not done; what stands below it, perhaps.
    unsent = (
        boto.EndpointConnectionError,
        boto.ConnectTimeoutError,
        boto.ProxyConnectionError,
        boto.SSLError,
    )
    if isinstance(error, unsent):
        return BrokerUnavailableError(
            f"SQS can't be reached in {place()}: {error} Check the address and the network.", queue=queue
        )
    if isinstance(error, (boto.HTTPClientError, ResponseParserError)):
        return AnswerLostError(f"{operation}: SQS in {place()} gave no answer: {error}", queue=queue)
    if isinstance(error, boto.BotoCoreError):
        return BrokerError(f"{operation}: {error}", queue=queue)
    return None
