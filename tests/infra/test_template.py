"""The template that an app gets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import cloudq
from cloudq.app import App
from cloudq.brokers.sqs.broker import RECEIVE_ALLOWANCE
from cloudq.errors import ConfigurationError
from cloudq.queues import Queue
from cloudq_infra.intrinsics import plain
from cloudq_infra.model import plan
from cloudq_infra.render import render
from cloudq_infra.template import template

ROOT = Path(__file__).resolve().parents[2]


def shop(*queues: Queue, **settings) -> App:
    return App("shop", queues=queues, environ={}, **settings)


def made(app: App, **options) -> dict:
    return plain(template(plan("shop.tasks", app), **options))


def resources(app: App) -> dict:
    return made(app)["Resources"]


def properties(app: App, logical_id: str) -> dict:
    return resources(app)[logical_id]["Properties"]


def test_every_queue_has_a_dead_letter_queue_that_only_it_may_fill():
    app = shop(Queue("emails", lease=90))

    source, dead = properties(app, "EmailsQueue"), properties(app, "EmailsDeadQueue")

    assert source["QueueName"] == {"Fn::Sub": "${Prefix}emails"}
    assert source["VisibilityTimeout"] == 90
    assert source["SqsManagedSseEnabled"] is True
    assert source["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["EmailsDeadQueue", "Arn"]}
    assert dead["QueueName"] == {"Fn::Sub": "${Prefix}emails-dead"}
    assert dead["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert dead["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"
    (allowed,) = dead["RedriveAllowPolicy"]["sourceQueueArns"]
    assert allowed["Fn::Sub"].endswith(":${Prefix}emails")


def test_each_level_of_priority_is_a_queue_with_the_dead_letter_queue_of_all():
    app = shop(Queue("emails", priorities=3, consumer="lambda"))

    found = resources(app)

    sources = ["EmailsQueue", "EmailsP2Queue", "EmailsP1Queue"]
    queues = {name for name, resource in found.items() if resource["Type"] == "AWS::SQS::Queue"}
    assert queues == {*sources, "EmailsDeadQueue"}
    assert found["EmailsP2Queue"]["Properties"]["QueueName"] == {"Fn::Sub": "${Prefix}emails--p2"}
    targets = [found[name]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"] for name in sources]
    assert targets == [{"Fn::GetAtt": ["EmailsDeadQueue", "Arn"]}] * 3
    allowed = found["EmailsDeadQueue"]["Properties"]["RedriveAllowPolicy"]["sourceQueueArns"]
    assert [one["Fn::Sub"].rpartition("}")[2] for one in allowed] == ["emails", "emails--p2", "emails--p1"]
    events = found["EmailsFunction"]["Properties"]["Events"]
    assert {name: event["Properties"]["Queue"]["Fn::GetAtt"][0] for name, event in events.items()} == {
        "Messages": "EmailsQueue",
        "MessagesP2": "EmailsP2Queue",
        "MessagesP1": "EmailsP1Queue",
    }


def test_a_queue_that_would_be_taken_for_a_level_is_refused():
    with pytest.raises(ConfigurationError, match="EmailsP1"):
        made(shop(Queue("emails", priorities=2), Queue("emails-p1")))


def test_redrive_leaves_room_for_retries_and_throttling():
    app = shop(Queue("emails", max_receives=5))

    @app.task(queue="emails", retries=7)
    def send() -> None: ...

    assert properties(app, "EmailsQueue")["RedrivePolicy"]["maxReceiveCount"] == 5 + 7 + RECEIVE_ALLOWANCE


def test_fifo_queue_has_a_fifo_dead_letter_queue_and_is_redriven_late():
    app = shop(Queue("orders.fifo"))

    source, dead = properties(app, "OrdersFifoQueue"), properties(app, "OrdersFifoDeadQueue")

    assert source["FifoQueue"] is dead["FifoQueue"] is True
    assert dead["QueueName"] == {"Fn::Sub": "${Prefix}orders-dead.fifo"}
    assert source["RedrivePolicy"]["maxReceiveCount"] == 1_000


def test_queues_that_tasks_name_are_there_without_being_declared():
    app = shop()

    @app.task(queue="reports")
    def report() -> None: ...

    assert "ReportsQueue" in resources(app)


def test_queue_for_lambda_gets_a_function_with_partial_responses():
    app = shop(Queue("images", consumer="lambda"))

    function = properties(app, "ImagesFunction")

    event = function["Events"]["Messages"]["Properties"]
    assert event["Queue"] == {"Fn::GetAtt": ["ImagesQueue", "Arn"]}
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["ScalingConfig"]["MaximumConcurrency"] >= 2
    variables = function["Environment"]["Variables"]
    assert variables["CLOUDQ_APP"] == "shop.tasks"
    assert variables["CLOUDQ_BROKER_URL"] == {"Fn::Sub": "sqs://${AWS::Region}?prefix=${Prefix}"}
    assert variables["CLOUDQ_RESULT_BACKEND"] == {"Ref": "ResultBackend"}
    assert made(app)["Globals"]["Function"]["Handler"] == "cloudq.lambda_handler.handler"


def test_queue_for_workers_gets_no_function():
    app = shop(Queue("images"))

    assert "Globals" not in made(app)
    assert not [each for each in resources(app).values() if "Function" in each["Type"]]


def test_visibility_is_six_times_the_functions_timeout_which_covers_its_slowest_task():
    app = shop(Queue("images", consumer="lambda"))

    @app.task(queue="images", time_limit=120)
    def slow() -> None: ...

    @app.task(queue="images", time_limit=10)
    def quick() -> None: ...

    timeout = properties(app, "ImagesFunction")["Timeout"]
    assert timeout > 120
    assert properties(app, "ImagesQueue")["VisibilityTimeout"] == 6 * timeout


def test_task_too_long_for_lambda_is_refused_with_its_name():
    app = shop(Queue("images", consumer="lambda"))

    @app.task(queue="images", time_limit=900, name="render")
    def render_film() -> None: ...

    with pytest.raises(ConfigurationError, match=r"Task render: .* 'images' consumer='worker'"):
        made(app)


def test_functions_may_touch_the_apps_own_queues_only():
    app = shop(Queue("images", consumer="lambda"), Queue("emails"))

    (policy,) = properties(app, "ImagesRole")["Policies"]
    statements = policy["PolicyDocument"]["Statement"]

    allowed = {action: statement["Resource"] for statement in statements for action in statement["Action"]}
    assert allowed["sqs:ReceiveMessage"] == [{"Fn::GetAtt": ["ImagesQueue", "Arn"]}]
    assert allowed["sqs:SendMessage"] == [
        {"Fn::GetAtt": ["EmailsQueue", "Arn"]},
        {"Fn::GetAtt": ["ImagesQueue", "Arn"]},
        {"Fn::GetAtt": ["ImagesDeadQueue", "Arn"]},
    ]
    assert "*" not in {action.partition(":")[2] for action in allowed}
    assert all("*" not in str(resource) for action, resource in allowed.items() if "sqs" in action)


def test_results_table_exists_only_for_a_dynamodb_backend():
    table = resources(shop(Queue("a"), backend="dynamodb://results"))["ResultsTable"]["Properties"]

    assert table["TableName"] == {"Fn::Sub": "${Prefix}results"}
    assert table["TimeToLiveSpecification"]["Enabled"] is True
    assert "ResultsTable" not in resources(shop(Queue("a"), backend="memory://"))


def test_backend_of_the_shell_that_writes_the_template_does_not_show():
    app = App("shop", queues=[Queue("a")], environ={"CLOUDQ_RESULT_BACKEND": "dynamodb://mine"})

    assert "ResultsTable" not in resources(app)


def test_each_queue_has_alarms_for_dead_letters_and_for_age():
    found = resources(shop(Queue("emails")))

    dead, late = found["EmailsDeadAlarm"]["Properties"], found["EmailsLateAlarm"]["Properties"]
    assert dead["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["EmailsDeadQueue", "QueueName"]}
    assert dead["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert late["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["EmailsQueue", "QueueName"]}
    assert late["MetricName"] == "ApproximateAgeOfOldestMessage"


def test_variables_become_parameters_of_the_template():
    app = shop(Queue("images", consumer="lambda"))

    written = made(app, variables={"SHOP_FOLDER": "/tmp/shop"})

    assert written["Parameters"]["ShopFolder"]["Default"] == "/tmp/shop"
    variables = written["Resources"]["ImagesFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["SHOP_FOLDER"] == {"Ref": "ShopFolder"}


def test_order_of_declaration_does_not_show_and_a_new_task_moves_no_queue():
    one = shop(Queue("a"), Queue("b", consumer="lambda"))
    other = shop(Queue("b", consumer="lambda"), Queue("a"))

    @other.task(queue="a")
    def later() -> None: ...

    assert list(resources(one)) == list(resources(other))
    assert resources(one)["BFunction"] == resources(other)["BFunction"]


def test_names_that_a_template_cannot_tell_apart_are_refused():
    with pytest.raises(ConfigurationError, match=r"'feed-items' and 'feed_items' would both be FeedItems"):
        made(shop(Queue("feed-items"), Queue("feed_items")))


def test_text_is_the_same_each_time():
    app = shop(Queue("images", consumer="lambda"), Queue("orders.fifo"), backend="dynamodb://results")

    assert render(template(plan("shop.tasks", app))) == render(template(plan("shop.tasks", app)))


@pytest.mark.slow
def test_text_passes_cfn_lint_with_its_sam_transform(tmp_path):
    app = shop(Queue("images", consumer="lambda"), Queue("orders.fifo"), backend="dynamodb://results")
    file = tmp_path / "template.yaml"
    file.write_text(render(template(plan("shop.tasks", app), variables={"SHOP_FOLDER": ""})))
    command = [sys.executable, "-c", "from cfnlint.runner import main; main()", "--format", "json", str(file)]

    linted = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"AWS_DEFAULT_REGION": "us-east-1"}
    )

    assert json.loads(linted.stdout) == []


def test_template_in_the_repository_is_current():
    command = [sys.executable, "-c", "from cloudq_infra.cli import infra; infra()", "check"]

    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_public_names_are_enough_to_declare_what_is_planned():
    app = cloudq.App("shop", queues=[cloudq.Queue("images", consumer="lambda")], environ={})

    assert plan("shop.tasks", app).queues[0].function is not None
