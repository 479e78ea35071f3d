"""Lambda through its public door: functions and event source mappings made by boto3, run by the emulator."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.waiting import wait_until

SOURCE = """
import json, os, time, urllib.request

def note(event, context):
    # Every record as it came, one line of a file each.
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps([record["body"] for record in event["Records"]]) + "\\n")

def echo(event, context):
    print("heard", event)
    return {"event": event, "id": context.aws_request_id}

def whole(event, context):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(event["Records"]) + "\\n")

def fail_bad_ones(event, context):
    note(event, context)
    bad = [record["messageId"] for record in event["Records"] if record["body"].startswith("bad")]
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in bad]}

def fail_all(event, context):
    note(event, context)
    raise RuntimeError("never works")

def call_back(event, context):
    with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/?max-buckets=1") as answer:
        return answer.status

def hang(event, context):
    note(event, context)
    time.sleep(60)

def one_at_a_time(event, context):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write('"begin"\\n')
    time.sleep(0.2)
    with open(os.environ["NOTES"], "a") as notes:
        notes.write('"end"\\n')
"""


def zipped(source=SOURCE):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


class Cloud:
    """boto3's clients, and what the functions under test wrote down."""

    def __init__(self, client, notes):
        self.sqs, self.lambda_, self.logs = client("sqs"), client("lambda"), client("logs")
        self._notes = notes
        role = client("iam").create_role(RoleName="orders", AssumeRolePolicyDocument="{}")
        self._role = role["Role"]["Arn"]

    def notes(self):
        return [json.loads(line) for line in self._notes.read_text().splitlines()]

    def bodies(self):
        return [body for batch in self.notes() for body in batch]

    def function(self, handler, name="orders", **options):
        options = {"Timeout": 5, "Runtime": "python3.12", "Code": {"ZipFile": zipped()}, **options}
        self.lambda_.create_function(
            FunctionName=name,
            Role=self._role,
            Handler=handler,
            Environment={"Variables": {"NOTES": str(self._notes)}},
            **options,
        )
        return name

    def queue(self, name="orders", **attributes):
        attributes = {"VisibilityTimeout": "30", **attributes}
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        asked = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, asked["Attributes"]["QueueArn"]

    def mapped(self, handler, *, timeout=5, visibility=30, **options):
        url, arn = self.queue(VisibilityTimeout=str(visibility))
        name = self.function(handler, Timeout=timeout)
        made = self.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, **options)
        return url, made["UUID"]

    def send(self, url, *bodies):
        entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)]
        self.sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def counts(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return tuple(int(found[name]) for name in names)

    def is_empty(self, url):
        return self.counts(url) == (0, 0)


@pytest.fixture
def cloud(emulator, tmp_path):
    notes = tmp_path / "notes"
    notes.touch()
    return Cloud(emulator.client, notes)


def test_invoke_really_runs_the_function(cloud):
    cloud.function("app.echo")

    answer = cloud.lambda_.invoke(FunctionName="orders", Payload=b'{"n": 1}', LogType="Tail")

    assert json.loads(answer["Payload"].read())["event"] == {"n": 1}
    assert "FunctionError" not in answer
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "heard {'n': 1}" in base64.b64decode(answer["LogResult"]).decode()


def test_invoke_tells_a_function_error_from_a_reply(cloud):
    cloud.function("app.fail_all")

    answer = cloud.lambda_.invoke(FunctionName="orders", Payload=b'{"Records": []}')

    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "RuntimeError"


def test_asynchronous_invoke_answers_before_the_function_has_run(cloud):
    cloud.function("app.note")
    event = {"Records": [{"body": "later"}]}

    answer = cloud.lambda_.invoke(FunctionName="orders", Payload=json.dumps(event), InvocationType="Event")

    assert answer["StatusCode"] == 202
    wait_until(lambda: cloud.bodies() == ["later"])


def test_many_callers_at_once_leave_the_emulator_able_to_answer_their_functions(cloud):
    cloud.function("app.call_back")

    def invoke(_):
        return cloud.lambda_.invoke(FunctionName="orders")["Payload"].read()

    with ThreadPoolExecutor(40) as threads:
        assert set(threads.map(invoke, range(40))) == {b"200"}


def test_dry_run_runs_nothing(cloud):
    cloud.function("app.note")

    assert cloud.lambda_.invoke(FunctionName="orders", InvocationType="DryRun")["StatusCode"] == 204
    assert cloud.notes() == []


def test_payload_that_is_no_json_is_refused(cloud):
    cloud.function("app.echo")

    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        cloud.lambda_.invoke(FunctionName="orders", Payload=b"{")


def test_code_from_s3_runs(cloud, emulator):
    s3 = emulator.client("s3")
    where = {"LocationConstraint": s3.meta.region_name}
    s3.create_bucket(Bucket="code", CreateBucketConfiguration=where)
    s3.put_object(Bucket="code", Key="orders.zip", Body=zipped())
    cloud.function("app.echo", Code={"S3Bucket": "code", "S3Key": "orders.zip"})

    assert json.loads(cloud.lambda_.invoke(FunctionName="orders")["Payload"].read())["event"] == {}


def test_updated_code_and_configuration_run_from_the_next_invocation_on(cloud):
    cloud.function("app.echo")
    cloud.lambda_.invoke(FunctionName="orders")

    new = zipped("import os\ndef other(event, context): return os.environ['STAGE']")
    cloud.lambda_.update_function_code(FunctionName="orders", ZipFile=new)
    cloud.lambda_.update_function_configuration(
        FunctionName="orders", Handler="app.other", Environment={"Variables": {"STAGE": "blue"}}
    )

    assert json.loads(cloud.lambda_.invoke(FunctionName="orders")["Payload"].read()) == "blue"


def test_what_a_function_prints_is_in_cloudwatch_logs(cloud):
    cloud.function("app.echo")
    cloud.lambda_.invoke(FunctionName="orders", Payload=b'"you"')

    def messages():
        try:
            found = cloud.logs.filter_log_events(logGroupName="/aws/lambda/orders")["events"]
        except cloud.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in found]

    wait_until(lambda: any(line.startswith("REPORT") for line in messages()))
    assert "heard you" in messages()


def test_messages_of_a_queue_reach_the_function_and_are_deleted(cloud):
    url, _ = cloud.mapped("app.note")

    cloud.send(url, "one", "two", "three")

    wait_until(lambda: cloud.is_empty(url) and sorted(cloud.bodies()) == ["one", "three", "two"])


def test_messages_sent_before_the_mapping_was_made_arrive_too(cloud):
    url, arn = cloud.queue()
    cloud.send(url, "early")
    cloud.function("app.note")

    cloud.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="orders")

    wait_until(lambda: cloud.bodies() == ["early"])


def test_event_carries_attributes_as_lambda_gives_them(cloud):
    url, _ = cloud.mapped("app.whole")
    attributes = {"kind": {"DataType": "String", "StringValue": "gift"}}

    sent = cloud.sqs.send_message(QueueUrl=url, MessageBody="one", MessageAttributes=attributes)

    ((record,),) = wait_until(cloud.notes)
    assert record["messageId"] == sent["MessageId"]
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["md5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert record["messageAttributes"]["kind"]["stringValue"] == "gift"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= record["attributes"].keys()
    assert record["eventSourceARN"].endswith(":orders")


def test_batch_size_bounds_the_event(cloud):
    url, arn = cloud.queue()
    cloud.send(url, *(str(n) for n in range(7)))
    cloud.function("app.note")

    cloud.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="orders", BatchSize=3)

    wait_until(lambda: len(cloud.bodies()) == 7)
    assert max(len(batch) for batch in cloud.notes()) == 3


def test_window_gathers_single_messages_into_one_batch(cloud):
    url, _ = cloud.mapped("app.note", BatchSize=4, MaximumBatchingWindowInSeconds=20)

    for body in ("a", "b", "c", "d"):
        cloud.send(url, body)

    wait_until(lambda: [sorted(batch) for batch in cloud.notes()] == [["a", "b", "c", "d"]])


def test_only_reported_messages_come_back(cloud):
    url, _ = cloud.mapped(
        "app.fail_bad_ones", timeout=1, visibility=1, FunctionResponseTypes=["ReportBatchItemFailures"]
    )

    cloud.send(url, "good", "bad", "fine")

    wait_until(lambda: cloud.bodies().count("bad") >= 2)
    assert cloud.bodies().count("good") == cloud.bodies().count("fine") == 1


def test_failing_function_leaves_the_whole_batch_until_its_visibility_ends(cloud):
    url, _ = cloud.mapped("app.fail_all", visibility=30)

    cloud.send(url, "one", "two")

    wait_until(lambda: sorted(cloud.bodies()) == ["one", "two"])
    assert cloud.counts(url) == (0, 2)


def test_message_that_always_fails_ends_in_the_dead_letter_queue(cloud):
    dead_url, dead_arn = cloud.queue("orders-dead")
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = cloud.queue(VisibilityTimeout="1", RedrivePolicy=policy)
    cloud.function("app.fail_all", Timeout=1)
    cloud.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="orders")

    cloud.send(url, "poison")

    wait_until(lambda: cloud.counts(dead_url) == (1, 0))
    assert cloud.bodies() == ["poison", "poison"]


def test_function_that_runs_out_of_time_leaves_its_batch(cloud):
    url, _ = cloud.mapped("app.hang", timeout=1, visibility=2)

    cloud.send(url, "slow")

    wait_until(lambda: cloud.bodies().count("slow") >= 2)


def test_filter_deletes_what_it_misses(cloud):
    pattern = json.dumps({"body": {"task": ["wanted"]}})
    url, _ = cloud.mapped("app.note", FilterCriteria={"Filters": [{"Pattern": pattern}]})
    wanted, unwanted = json.dumps({"task": "wanted"}), json.dumps({"task": "other"})

    cloud.send(url, unwanted, wanted, "no JSON")

    wait_until(lambda: cloud.is_empty(url) and cloud.bodies() == [wanted])


def test_disabled_mapping_stops_and_goes_on_when_enabled(cloud):
    url, uuid = cloud.mapped("app.note", Enabled=False)
    cloud.send(url, "waiting")

    assert cloud.counts(url) == (1, 0)
    cloud.lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)

    wait_until(lambda: cloud.bodies() == ["waiting"])


def test_fifo_queue_gives_each_group_in_order_one_batch_at_a_time(cloud):
    url, arn = cloud.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for number in range(12):
        cloud.sqs.send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId=str(number % 2))
    cloud.function("app.note")

    cloud.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="orders", BatchSize=2)

    wait_until(lambda: len(cloud.bodies()) == 12)
    for group in (0, 1):
        numbers = [int(body) for body in cloud.bodies() if int(body) % 2 == group]
        assert numbers == sorted(numbers)


def test_maximum_concurrency_bounds_how_many_batches_run_at_once(cloud):
    url, _ = cloud.mapped("app.one_at_a_time", BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})

    cloud.send(url, *(str(n) for n in range(6)))

    wait_until(lambda: cloud.notes().count("end") == 6)
    running, most = 0, 0
    for note in cloud.notes():
        running += 1 if note == "begin" else -1
        most = max(most, running)
    assert most == 2


def test_queue_that_shows_messages_before_the_function_times_out_is_refused(cloud):
    _, arn = cloud.queue(VisibilityTimeout="5")
    cloud.function("app.note", Timeout=6)

    with pytest.raises(
        ClientError, match="Queue visibility timeout: 5 seconds is less than Function timeout"
    ):
        cloud.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="orders")


def test_second_mapping_of_the_same_queue_and_function_is_refused(cloud):
    _, uuid = cloud.mapped("app.note")
    arn = cloud.lambda_.get_event_source_mapping(UUID=uuid)["EventSourceArn"]

    with pytest.raises(ClientError, match="already exists"):
        cloud.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="orders")
