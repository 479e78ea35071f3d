"""Bodies that are too large for SQS: put into S3 or the result backend, fetched where they are run."""

from __future__ import annotations

import json
import uuid

import boto3
import pytest

import cloudq
from cloudq.codec import decode
from cloudq.errors import BackendUnavailableError, ConfigurationError, MessageTooLargeError
from cloudq.testing import InlineWorker

BUCKET = "claims"
LARGE = "x" * 2_000_000


@pytest.fixture
def s3(emulator):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()


@pytest.fixture
def make_app(emulator, tmp_path):
    apps = []

    def make_app(claim_checks=f"s3://{BUCKET}/bodies", **settings):
        backend = f"sqlite:///{tmp_path}/results.db"
        made = cloudq.App(
            "shop", environ={}, broker="sqs://", backend=backend, claim_checks=claim_checks, **settings
        )
        apps.append(made)
        return made

    yield make_app
    for made in apps:
        made.close()


def counting(app, runs, **options):
    @app.task(name="count", bind=True, **options)
    def count(self, text: str) -> int:
        runs.append(self.request.retries)
        if "fail" in text and len(runs) == 1:
            raise ValueError("once")
        return len(text)

    return count


def keys(s3):
    return [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def test_a_large_call_travels_as_a_claim_check_and_runs_as_ever(make_app, s3):
    app = make_app()
    count = counting(app, [])

    result = count.delay(LARGE)

    (delivery,) = app.broker.receive(["default"], limit=1, lease=1, wait=5)
    told = json.loads(delivery.body)
    assert told["ref"] == f"s3://{BUCKET}/bodies/{result.id}"
    assert "args" not in told
    assert (told["id"], told["task"], len(delivery.body) < 1000) == (result.id, "count", True)
    assert keys(s3) == [f"bodies/{result.id}"]
    app.broker.extend([(delivery, 0.0)])
    InlineWorker(app).drain("default")
    assert result.get(timeout=0) == len(LARGE)


def test_a_small_call_travels_whole(make_app, s3):
    app = make_app()
    result = counting(app, []).delay("small")

    InlineWorker(app).drain("default")

    assert (result.get(timeout=0), keys(s3)) == (5, [])


def test_what_fits_but_for_a_dead_letters_reason_is_put_away_too(make_app, s3):
    counting(make_app(), []).delay("x" * 1_040_000)

    assert len(keys(s3)) == 1


def test_a_large_call_is_retried_with_its_count_and_without_its_arguments(make_app, s3, emulator):
    app, runs = make_app(), []
    result = counting(app, runs, retries=1, backoff=120).delay("fail" + LARGE)

    InlineWorker(app).drain("default")
    assert app.broker.stats("default").delayed == 1  # as a copy
    emulator.pass_time(120)
    InlineWorker(app).drain("default")

    assert runs == [0, 1]
    assert result.get(timeout=0) == len(LARGE) + 4
    assert len(keys(s3)) == 1


def test_a_large_call_is_published_to_a_topic(make_app, s3):
    app = make_app(queues=[cloudq.Queue("mail", topics=("sent",))])
    count = counting(app, [])

    published = count.apply_async(("x" * 300_000,), topic="sent")

    assert len(keys(s3)) == 1
    InlineWorker(app).drain("mail")
    assert count.result(published.id, queue="mail").get(timeout=0) == 300_000


def test_a_body_that_has_gone_is_dead_lettered_with_where_it_was(make_app, s3):
    app = make_app()
    result = counting(app, []).delay(LARGE)
    s3.delete_object(Bucket=BUCKET, Key=f"bodies/{result.id}")

    InlineWorker(app).drain("default")

    (dead,) = app.broker.receive(["default-dead"], limit=1, lease=30, wait=5)
    assert dead.reason.code == "claim_gone"
    assert f"s3://{BUCKET}/bodies/{result.id}" in dead.reason.text


@pytest.mark.parametrize(
    "place", ["s3://other/bodies/1", f"s3://{BUCKET}/bodies-too/1", "backend:secret", "x"]
)
def test_a_message_can_not_make_a_worker_read_what_lies_elsewhere(make_app, s3, place):
    app = make_app()
    counting(app, [])
    s3.create_bucket(Bucket="other")
    for bucket, key in (("other", "bodies/1"), (BUCKET, "bodies-too/1")):
        s3.put_object(Bucket=bucket, Key=key, Body=b'{"v":1,"id":"1","task":"count","args":["secret"]}')
    app.declare("default")
    url = boto3.client("sqs").get_queue_url(QueueName="default")["QueueUrl"]
    body = json.dumps({"v": 1, "id": str(uuid.uuid4()), "task": "count", "ref": place})
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody=body)

    InlineWorker(app).drain("default")

    (dead,) = app.broker.receive(["default-dead"], limit=1, lease=30, wait=5)
    assert dead.reason.code == "claim_gone"


def test_an_app_without_claim_checks_says_what_to_set(make_app, s3):
    sender, app = make_app(), make_app(claim_checks=None)
    counting(sender, []).delay(LARGE)
    task = counting(app, [])

    InlineWorker(app).drain("default")

    (dead,) = app.broker.receive(["default-dead"], limit=1, lease=30, wait=5)
    assert "set claim_checks" in dead.reason.text
    with pytest.raises(MessageTooLargeError, match="claim_checks"):
        task.delay(LARGE)


def test_a_bucket_that_is_not_there_refuses_the_call_and_holds_the_message_back(make_app, s3):
    app = make_app()
    count = counting(app, [])
    count.delay(LARGE)
    s3.delete_object(Bucket=BUCKET, Key=keys(s3)[0])
    s3.delete_bucket(Bucket=BUCKET)

    with pytest.raises(BackendUnavailableError, match=r"NoSuchBucket.*s3:PutObject"):
        count.delay(LARGE)

    InlineWorker(app).drain("default")
    assert app.broker.stats("default").leased == 1  # given back with a growing delay
    assert app.broker.stats("default").dead == 0


def test_the_result_backend_keeps_bodies_where_that_is_asked_for(make_app):
    app = make_app(claim_checks="backend")
    result = counting(app, []).delay(LARGE)

    (delivery,) = app.broker.receive(["default"], limit=1, lease=1, wait=5)
    assert decode(delivery.body).ref == f"backend:{result.id}"
    app.broker.extend([(delivery, 0.0)])
    InlineWorker(app).drain("default")

    assert result.get(timeout=0) == len(LARGE)


@pytest.mark.parametrize("setting", ["s3://", "bucket", "https://bucket"])
def test_a_setting_that_names_no_place_is_refused(make_app, setting):
    with pytest.raises(ConfigurationError, match="s3://bucket/prefix"):
        counting(make_app(claim_checks=setting), []).delay("x")


def test_the_result_backend_can_not_keep_bodies_where_there_is_none(emulator):
    app = cloudq.App("shop", environ={}, broker="sqs://", claim_checks="backend")

    with pytest.raises(ConfigurationError, match="no result backend"):
        counting(app, []).delay("x")
    app.close()
