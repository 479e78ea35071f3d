"""The rows of refusals: complete, sourced, and the same in the docs and on the wire."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from importlib.resources import files
from pathlib import Path

import pytest

from cloudq_emulator.sqs.error_page import page
from cloudq_emulator.sqs.errors import UNVERIFIED
from cloudq_emulator.sqs.refusals import rows

PAGE = Path(__file__).parents[2] / "docs" / "emulator" / "errors.md"
ROWS = rows()


@pytest.fixture(scope="module")
def shapes():
    """botocore's shapes of SQS."""
    path = files("botocore") / "data" / "sqs" / "2012-11-05" / "service-2.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))["shapes"]


def test_the_page_of_errors_is_the_rows():
    assert PAGE.read_text() == page(), "write it anew: python -m cloudq_emulator.sqs.error_page"


@pytest.mark.parametrize("name", ROWS)
def test_every_row_says_where_its_text_was_seen(name):
    row = ROWS[name]

    assert row.source.startswith(UNVERIFIED) or row.source.split(maxsplit=1)[0] in {
        "recorded",
        "asserted",
        "reported",
        "quoted",
    }


@pytest.mark.parametrize(
    "name", [name for name, row in ROWS.items() if row.is_modelled and "#" not in row.shape]
)
def test_modelled_errors_have_the_models_shape_code_and_status(shapes, name):
    row = ROWS[name]
    shape = shapes[row.shape]

    assert shape["exception"]
    modelled = shape.get("error")
    if modelled is not None:
        assert row.code in {modelled.get("code", row.shape), row.shape}
        if row.shape != "InvalidAddress":
            assert row.status == modelled["httpStatusCode"]


def test_an_error_has_aws_s_type_header_and_request_id(emulator, sqs):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="none")

    error, about = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    assert error == {
        "Message": "The specified queue does not exist.",
        "Code": "AWS.SimpleQueueService.NonExistentQueue",
        "QueryErrorCode": "QueueDoesNotExist",
        "Type": "Sender",
    }
    headers = about["HTTPHeaders"]
    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert headers["x-amzn-requestid"] == about["RequestId"]
    assert headers["content-type"] == "application/x-amz-json-1.0"


@pytest.mark.parametrize("target", ["DynamoDB_20120810.ListTables", "AmazonSQS.Invented", "AmazonSQS.", "x"])
def test_an_operation_that_sqs_has_not_is_unknown(emulator, target):
    scope = "AWS4-HMAC-SHA256 Credential=test/20261121/eu-west-1/sqs/aws4_request, Signature=0"
    headers = {"X-Amz-Target": target, "Authorization": scope}
    request = urllib.request.Request(emulator.endpoint, b"{}", headers)

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)

    with caught.value as answer:
        assert answer.code == 400
        assert answer.headers["x-amzn-query-error"] == "InvalidAction;Sender"
        assert json.load(answer) == {
            "__type": "com.amazon.coral.service#UnknownOperationException",
            "message": f"The action {target.rpartition('.')[2]} is not valid for this endpoint.",
        }
