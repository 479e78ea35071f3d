from __future__ import annotations

import pytest

from cloudq.brokers.sqs.names import Names, named_in
from cloudq.brokers.sqs.urls import SqsUrl, is_loopback, parse
from cloudq.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("sqs://", SqsUrl()),
        ("sqs://eu-central-1", SqsUrl("eu-central-1")),
        ("sqs://eu-central-1/", SqsUrl("eu-central-1")),
        ("sqs://?prefix=shop-", SqsUrl(prefix="shop-")),
        ("sqs://?endpoint=", SqsUrl()),
        ("sqs://?transport=boto3", SqsUrl(transport="boto3")),
        (
            "sqs://eu-west-1?prefix=a_&endpoint=http://localhost:4566",
            SqsUrl("eu-west-1", "a_", "http://localhost:4566"),
        ),
    ],
)
def test_a_url_says_region_prefix_and_endpoint(url, place):
    assert parse(url) == place


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("sqs://?prefx=shop-", "prefx"),
        ("sqs://localhost:4566", "endpoint="),
        ("sqs://eu-west-1/shop", "prefix="),
        ("sqs://?endpoint=localhost:4566", "localhost:4566"),
        ("sqs://?transport=aiohttp", "lean, boto3"),
        ("sqs://key:secret@eu-west-1", "credentials"),
    ],
)
def test_a_url_that_is_wrong_says_where_and_how_it_is_right(url, named):
    with pytest.raises(ConfigurationError) as wrong:
        parse(url)

    assert named in str(wrong.value)
    assert "sqs://[region]" in str(wrong.value)
    assert "secret" not in str(wrong.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost:4566",
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://[::1]:80",
        "http://sqs.eu-west-1.localhost.localstack.cloud:4566",
    ],
)
def test_an_emulator_on_this_machine_is_on_loopback(endpoint):
    assert is_loopback(endpoint)


@pytest.mark.parametrize(
    "endpoint", ["https://sqs.eu-west-1.amazonaws.com", "http://10.0.0.1:4566", "http://notlocalhost"]
)
def test_aws_and_other_machines_are_not_on_loopback(endpoint):
    assert not is_loopback(endpoint)


def test_a_queue_is_called_by_prefix_and_name_on_aws():
    names = Names("shop-")

    assert names.full("emails.fifo") == "shop-emails.fifo"
    assert names.short("shop-emails.fifo") == "emails.fifo"


@pytest.mark.parametrize("queue", ["x" * 76, "a.b", "ä", "", "a.fifo.fifo"])
def test_a_name_that_aws_can_not_have_is_refused(queue):
    with pytest.raises(ConfigurationError, match="at most 80"):
        Names("shop-" if queue else "").full(queue)


def test_a_request_tells_which_queue_it_is_about():
    assert named_in({"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-a"}) == "shop-a"
    assert named_in({"QueueName": "shop-a"}) == "shop-a"
    assert named_in({}) == ""
