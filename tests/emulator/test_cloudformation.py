"""Templates deployed to the emulator: what comes up works, what can't come up says why."""

from __future__ import annotations

import json
import time
import zipfile
from io import BytesIO

import pytest
from botocore.exceptions import ClientError, WaiterError

from cloudq_emulator.cloudformation import DeployError, deploy_template

REGION = "eu-west-1"

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Prefix: {Type: String, Default: test-}
Globals:
  Function: {Runtime: python3.12, CodeUri: code, Timeout: 5}
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${Prefix}orders"
      VisibilityTimeout: 30
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Dead:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${Prefix}orders-dead"}
  Parcels:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${Prefix}parcels"}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub "${Prefix}results"
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: key, AttributeType: S}]
      KeySchema: [{AttributeName: key, KeyType: HASH}]
  Pack:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.pack
      Environment: {Variables: {PARCELS: !Ref Parcels, TABLE: !Ref Table, LEVEL: 3}}
      Events:
        Order:
          Type: SQS
          Properties:
            Queue: !GetAtt Orders.Arn
            FunctionResponseTypes: [ReportBatchItemFailures]
Outputs:
  OrdersUrl: {Value: !Ref Orders}
  ParcelsUrl: {Value: !Ref Parcels}
  Function: {Value: !Ref Pack}
"""

CODE = """
import os
import boto3

sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")

def pack(event, context):
    for record in event["Records"]:
        item = {"key": {"S": record["body"]}, "level": {"S": os.environ["LEVEL"]}}
        dynamodb.put_item(TableName=os.environ["TABLE"], Item=item)
        sqs.send_message(QueueUrl=os.environ["PARCELS"], MessageBody="packed " + record["body"])
"""


@pytest.fixture
def project(tmp_path):
    """A folder with a template and a function's code."""
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(CODE)
    return tmp_path


@pytest.fixture
def deploy(emulator, project):
    def deploy(**options):
        options = {"stack_name": "shop", "region": REGION, **options}
        return deploy_template(project / "template.yaml", emulator.endpoint, **options)

    return deploy


def change(project, old, new):
    file = project / "template.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def received(sqs, url):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
            return message["Body"]
    pytest.fail("nothing came")


def test_queues_function_mapping_and_table_of_a_sam_template_work_together(deploy, sqs, emulator):
    outputs = deploy()

    sqs.send_message(QueueUrl=outputs["OrdersUrl"], MessageBody="shoes")

    assert received(sqs, outputs["ParcelsUrl"]) == "packed shoes"
    dynamodb = emulator.client("dynamodb")
    item = dynamodb.get_item(TableName="test-results", Key={"key": {"S": "shoes"}})["Item"]
    assert item["level"] == {"S": "3"}


def test_queues_come_up_with_their_redrive(deploy, sqs):
    url = deploy()["OrdersUrl"]

    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    policy = json.loads(attributes["RedrivePolicy"])
    assert policy["deadLetterTargetArn"].endswith(":test-orders-dead")
    assert int(policy["maxReceiveCount"]) == 3
    assert attributes["VisibilityTimeout"] == "30"


def test_parameters_reach_the_template(deploy):
    assert deploy(parameters={"Prefix": "blue-"})["OrdersUrl"].endswith("/blue-orders")


def test_stack_is_called_like_its_folder_unless_it_is_named(deploy, emulator, project):
    deploy(stack_name=None)

    (stack,) = emulator.client("cloudformation").describe_stacks()["Stacks"]
    assert stack["StackName"] == project.name.replace("_", "-")


def test_second_deployment_updates_code_and_resources(deploy, project, sqs):
    before = deploy()
    (project / "code" / "app.py").write_text(CODE.replace("packed ", "wrapped "))
    change(project, "VisibilityTimeout: 30", "VisibilityTimeout: 40")

    after = deploy()

    assert after == before
    sqs.send_message(QueueUrl=after["OrdersUrl"], MessageBody="shoes")
    assert received(sqs, after["ParcelsUrl"]) == "wrapped shoes"
    attributes = sqs.get_queue_attributes(QueueUrl=after["OrdersUrl"], AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "40"


def test_caches_and_hidden_folders_stay_out_of_the_code(deploy, project, emulator):
    for folder in (".git", ".venv", "__pycache__", "pages"):
        (project / "code" / folder).mkdir()
        (project / "code" / folder / "file").touch()

    deploy()

    s3 = emulator.client("s3")
    (bucket,) = s3.list_buckets()["Buckets"]
    (stored,) = s3.list_objects_v2(Bucket=bucket["Name"])["Contents"]
    content = s3.get_object(Bucket=bucket["Name"], Key=stored["Key"])["Body"].read()
    assert zipfile.ZipFile(BytesIO(content)).namelist() == ["app.py", "pages/file"]


def test_unchanged_code_is_uploaded_under_the_same_name(deploy, project, emulator):
    deploy()
    (project / "code" / "app.py").touch()
    deploy()

    s3 = emulator.client("s3")
    (bucket,) = s3.list_buckets()["Buckets"]
    assert s3.list_objects_v2(Bucket=bucket["Name"])["KeyCount"] == 1


def test_resource_that_fails_is_named_with_its_reason_and_leaves_nothing(deploy, project, sqs):
    change(project, "!GetAtt Orders.Arn", "arn:aws:sqs:eu-west-1:000000000000:nowhere")

    with pytest.raises(DeployError, match=r"PackOrder \(AWS::Lambda::EventSourceMapping\)"):
        deploy()

    assert "QueueUrls" not in sqs.list_queues()


def test_failed_stack_can_be_deployed_anew(deploy, project, emulator):
    change(project, "!GetAtt Orders.Arn", "arn:aws:sqs:eu-west-1:000000000000:nowhere")
    with pytest.raises(DeployError):
        deploy()
    change(project, "arn:aws:sqs:eu-west-1:000000000000:nowhere", "!GetAtt Orders.Arn")
    emulator.clock(advance=61)  # SQS wants a minute between two queues of one name

    assert deploy()["OrdersUrl"]


def test_update_that_fails_says_why(deploy, project):
    deploy()
    change(project, "!GetAtt Orders.Arn", "!GetAtt Late.Arn")
    change(
        project,
        "  Dead:\n",
        "  Late:\n    Type: AWS::SQS::Queue\n    Properties: {VisibilityTimeout: 99999}\n  Dead:\n",
    )

    with pytest.raises(DeployError, match=r"UPDATE_FAILED\. Late \(AWS::SQS::Queue\)"):
        deploy()


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "AWS::DynamoDB::Table",
            "AWS::Scheduler::Schedule",
            r"Unrecognized resource types: .*Schedule \(Table\)",
        ),
        ("Handler: app.pack", "Handlr: app.pack", "Transform .* failed with: .*Handlr"),
        ("CodeUri: code", "CodeUri: elsewhere", "Pack: CodeUri names .*elsewhere, which is no folder"),
        ("Resources:", "Recources:", "has no Resources"),
        ("Outputs:", "Outputs: [", "neither YAML nor JSON"),
    ],
)
def test_template_that_is_wrong_makes_nothing(deploy, project, sqs, old, new, error):
    change(project, old, new)

    with pytest.raises(DeployError, match=error):
        deploy()

    assert "QueueUrls" not in sqs.list_queues()


def test_missing_template_is_said_in_a_line(emulator, tmp_path):
    with pytest.raises(DeployError, match=r"Can't read the template .*: No such file"):
        deploy_template(tmp_path / "none.yaml", emulator.endpoint)


def inline(handler="index.handler"):
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.12",
            "Handler": handler,
            "InlineCode": "def handler(event, context): return 'inline'",
        },
    }
    return json.dumps(
        {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {"Hello": function},
            "Outputs": {"Name": {"Value": {"Ref": "Hello"}}},
        }
    )


def output(cloudformation, stack):
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return found["Outputs"][0]["OutputValue"]


def test_sam_template_given_to_cloudformation_itself_is_transformed(emulator):
    cloudformation = emulator.client("cloudformation")

    cloudformation.create_stack(StackName="direct", TemplateBody=inline())

    answer = emulator.client("lambda").invoke(FunctionName=output(cloudformation, "direct"))
    assert json.loads(answer["Payload"].read()) == "inline"


def test_change_set_of_a_sam_template_ends_with_outputs(emulator):
    cloudformation = emulator.client("cloudformation")
    cloudformation.create_change_set(
        StackName="changed", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=inline()
    )

    cloudformation.execute_change_set(StackName="changed", ChangeSetName="first")

    assert output(cloudformation, "changed").startswith("changed-Hello")


def test_failed_stack_is_seen_by_boto3s_waiter(emulator):
    cloudformation = emulator.client("cloudformation")
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99_999}}

    cloudformation.create_stack(StackName="bad", TemplateBody=json.dumps({"Resources": {"Bad": queue}}))

    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_create_complete").wait(StackName="bad")
    events = cloudformation.describe_stack_events(StackName="bad")["StackEvents"]
    assert any("Bad (AWS::SQS::Queue)" in event.get("ResourceStatusReason", "") for event in events)


def test_alarms_come_up_and_go_with_their_stack(emulator):
    cloudformation, cloudwatch = emulator.client("cloudformation"), emulator.client("cloudwatch")
    properties = {
        "AlarmDescription": "too old",
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": "orders"}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 5,
        "Threshold": 900,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": {"Ref": "AWS::NoValue"},
    }
    body = json.dumps({"Resources": {"Late": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}}})

    cloudformation.create_stack(StackName="alarmed", TemplateBody=body)

    (alarm,) = cloudwatch.describe_alarms()["MetricAlarms"]
    assert alarm["AlarmDescription"] == "too old"
    assert alarm["Threshold"] == 900
    assert alarm["TreatMissingData"] == "notBreaching"
    cloudformation.delete_stack(StackName="alarmed")
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []


def test_unknown_resource_type_is_refused_before_anything_is_made(emulator):
    cloudformation = emulator.client("cloudformation")
    body = json.dumps({"Resources": {"Policy": {"Type": "AWS::SQS::QueuePolicy"}}})

    with pytest.raises(ClientError, match="Unrecognized resource types"):
        cloudformation.create_stack(StackName="unknown", TemplateBody=body)

    assert cloudformation.describe_stacks()["Stacks"] == []
