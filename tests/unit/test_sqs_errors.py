from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from cloudq.brokers import sqs
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.refusals import Refusal, error_of
from cloudq.brokers.sqs.transport import AnswerLostError, RefusedError
from cloudq.clock import SystemClock
from cloudq.delivery import Outgoing
from cloudq.errors import BrokerUnavailableError, ConfigurationError, QueueNotFoundError


@pytest.fixture
def no_aws(monkeypatch, tmp_path):
    """An environment that knows nothing of AWS."""
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def credentials(environment):
    environment.setenv("AWS_ACCESS_KEY_ID", "test")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")


def send(url):
    broker = sqs.connect(url, clock=SystemClock())
    try:
        broker.send("emails", [Outgoing("id-1", b"{}")])
    finally:
        broker.close()


def test_without_credentials_the_ways_to_give_some_are_named(no_aws):
    with pytest.raises(ConfigurationError) as refused:
        send("sqs://eu-west-1")

    for way in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "role", "cloudq emulate"):
        assert way in str(refused.value)


def test_half_of_the_credentials_is_told_apart(no_aws):
    no_aws.setenv("AWS_ACCESS_KEY_ID", "test")

    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY"):
        send("sqs://eu-west-1")


def test_without_a_region_the_ways_to_name_one_are_named(no_aws):
    credentials(no_aws)

    with pytest.raises(ConfigurationError, match=r"sqs://eu-central-1.*AWS_REGION"):
        send("sqs://")


def test_an_unknown_profile_is_an_error_of_the_configuration(no_aws):
    no_aws.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(ConfigurationError, match="nobody"):
        send("sqs://eu-west-1")


def test_an_endpoint_that_does_not_listen_is_unavailable_and_named(no_aws):
    credentials(no_aws)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, and none answers
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(BrokerUnavailableError) as refused:
            send(f"sqs://eu-west-1?endpoint={endpoint}")

    assert endpoint in str(refused.value)
    assert not isinstance(refused.value, AnswerLostError)
    assert refused.value.queue == "emails"


def refused(code, *, operation="SendMessageBatch", status=400, text="AWS's words."):
    refusal = Refusal(operation, "shop-emails", code, text, status, "eu-west-1")
    return error_of(refusal, Names("shop-"))


@pytest.mark.parametrize(
    "code",
    ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "com.amazonaws.sqs#QueueDoesNotExist"],
)
def test_a_missing_queue_is_named_in_full_with_what_to_do(code):
    error = refused(code)

    assert isinstance(error, QueueNotFoundError)
    assert error.queue == "emails"
    for word in ("shop-emails", "eu-west-1", "CLOUDQ_CREATE_QUEUES=true", "template"):
        assert word in str(error)


def test_a_denied_action_is_named_as_a_policy_names_it():
    error = refused("AccessDenied", operation="ChangeMessageVisibilityBatch")

    assert isinstance(error, RefusedError)
    assert "sqs:ChangeMessageVisibility on" in str(error)
    assert "shop-emails" in str(error)


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_aws_does_not_know_are_not_worth_another_try(code):
    error = refused(code, status=403)

    assert isinstance(error, RefusedError)
    assert "credentials" in str(error)


@pytest.mark.parametrize("code", ["RequestThrottled", "ThrottlingException", "ExpiredToken", "OverLimit"])
def test_what_may_pass_is_unavailable_and_surely_not_done(code):
    error = refused(code, status=403)

    assert isinstance(error, BrokerUnavailableError)
    assert not isinstance(error, AnswerLostError)


@pytest.mark.parametrize(("code", "status"), [("InternalError", 500), ("ServiceUnavailable", 503)])
def test_after_a_failure_of_sqs_it_may_be_done(code, status):
    assert isinstance(refused(code, status=status), AnswerLostError)


def test_any_other_refusal_keeps_its_code_and_its_words():
    error = refused("AWS.SimpleQueueService.UnsupportedOperation")

    assert isinstance(error, RefusedError)
    assert error.code == "UnsupportedOperation"
    assert "AWS's words." in str(error)


def test_connecting_loads_neither_boto3_nor_botocore():
    program = (
        "import sys\n"
        "from cloudq.brokers import sqs\n"
        "from cloudq.clock import SystemClock\n"
        "sqs.connect('sqs://eu-west-1', clock=SystemClock())\n"
        "print(sorted({'boto3', 'botocore'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
