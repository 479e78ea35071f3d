"""The page at /_cloudq/ in headless Chromium: what is live stays so, buttons do what they say."""

from __future__ import annotations

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
try:
    from playwright import sync_api as api
except ModuleNotFoundError:
    api = None

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser():
    assert api is not None, "no playwright: make browser-test installs it"
    assert CHROMIUM is not None, "no Chromium: make browser-test installs it"
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, emulator):
    """The overview; whatever the console complains of fails the test."""
    page = browser.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{emulator.endpoint}/_cloudq/")
    yield page
    page.close()
    assert complaints == []


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="queue")["QueueUrl"]


def test_counts_and_requests_appear_by_themselves(page, sqs, queue):
    ready = page.locator("#queues tbody td").nth(1)
    api.expect(ready).to_have_text("0")

    sqs.send_message(QueueUrl=queue, MessageBody="x")

    api.expect(ready).to_have_text("1")
    api.expect(page.locator("#requests tbody tr").first).to_contain_text("SendMessage")


def test_a_message_is_sent_seen_and_purged(page, sqs, queue):
    page.get_by_role("link", name="queue", exact=True).click()
    page.get_by_placeholder("a message's body").fill('{"n": 1}')

    page.get_by_role("button", name="send").click()

    api.expect(page.locator("#messages")).to_contain_text('{"n": 1}')
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == '{"n": 1}'
    api.expect(page.locator("#messages")).to_contain_text("in flight")
    page.get_by_role("button", name="purge").click()
    api.expect(page.locator("#messages")).to_contain_text("It is empty.")


def test_what_is_typed_is_kept_while_the_page_lives(page, sqs, queue):
    page.get_by_role("link", name="queue", exact=True).click()
    page.get_by_placeholder("a message's body").fill("half a messa")

    sqs.send_message(QueueUrl=queue, MessageBody="x")

    api.expect(page.locator("#counts tbody td").first).to_have_text("1")
    api.expect(page.get_by_placeholder("a message's body")).to_have_value("half a messa")


def test_a_button_moves_the_clock(page, emulator, sqs, queue):
    emulator.clock(set="2040-01-01T00:00:00Z")
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=43_200)

    page.get_by_role("button", name="+ 12 hours").click()

    api.expect(page.locator("#clock time")).to_contain_text("2040-01-01 12:00")
    assert "Messages" in sqs.receive_message(QueueUrl=queue)


def test_dead_letters_go_back_by_a_button(page, sqs):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    target = "arn:aws:sqs:eu-west-1:000000000000:dead"
    redrive = f'{{"deadLetterTargetArn": "{target}", "maxReceiveCount": 1}}'
    attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": "0"}
    queue = sqs.create_queue(QueueName="queue", Attributes=attributes)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    for _ in range(2):
        sqs.receive_message(QueueUrl=queue)
    page.get_by_role("link", name="dead", exact=True).click()

    page.get_by_role("button", name="redrive to queue").click()

    api.expect(page.locator("#messages")).to_contain_text("It is empty.")
    assert "Messages" not in sqs.receive_message(QueueUrl=dead)
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "x"
