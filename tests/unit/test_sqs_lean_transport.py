"""The lean transport over real sockets: what it repeats, what it renews, what it raises."""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest

from cloudq.brokers.sqs.lean import connections as connections_module
from cloudq.brokers.sqs.lean.places import Place
from cloudq.brokers.sqs.lean.signing import Credentials
from cloudq.brokers.sqs.lean.transport import LeanTransport
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.transport import AnswerLostError, BusyError, RefusedError
from cloudq.errors import BrokerUnavailableError, QueueNotFoundError
from tests.http_server import HANG_UP, http_server
from tests.scripted_sqs import HastyClock

QUEUE = "http://localhost/1/shop-emails"


class Keys:
    """Credentials of which there are always newer ones."""

    def __init__(self):
        self.number = 1

    def get(self):
        return Credentials(f"AKID{self.number}", "secret")

    def refresh(self):
        self.number += 1


@pytest.fixture
def server():
    with http_server() as server:
        yield server


@pytest.fixture
def clock():
    return HastyClock(1_800_000_000.0)


@pytest.fixture
def lean(server, clock):
    lean = LeanTransport(Place(server.endpoint, "eu-west-1", Keys()), Names("shop-"), clock)
    yield lean
    lean.close()


def refusal(code, status=400, *, text="Said so.", **headers):
    """An error as SQS's JSON protocol has it."""
    body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": text}).encode()
    return status, headers, body


def test_an_answer_is_read(lean, server):
    server.answers = [(200, {}, b'{"QueueUrl":"http://x/1/shop-emails"}')]

    assert lean.call("GetQueueUrl", QueueName="shop-emails") == {"QueueUrl": "http://x/1/shop-emails"}


def test_an_empty_answer_is_one(lean, server):
    server.answers = [(200, {}, b"")]

    assert lean.call("PurgeQueue", QueueUrl=QUEUE) == {}


def test_a_connection_is_used_again(lean, server):
    for _ in range(3):
        lean.call("ListQueues")

    assert len({asked.connection for asked in server.asked}) == 1


def test_a_connection_that_the_server_has_closed_is_not_used_again(lean, server):
    server.answers = [(200, {"X-Then": "close"}, b"{}")] * 2

    for _ in range(3):
        lean.call("ListQueues")

    assert len(server.asked) == 3
    assert len({asked.connection for asked in server.asked}) == 3


def test_threads_have_connections_of_their_own(lean, server):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: lean.call("ListQueues"), range(80)))

    assert answers == [{}] * 80
    assert len({asked.connection for asked in server.asked}) <= 8


def test_a_forked_child_makes_connections_of_its_own(lean, server):
    lean.call("ListQueues")
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        lean.call("ListQueues")
        os.write(write, b"done")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 4) == b"done"

    lean.call("ListQueues")

    first, of_child, second = [asked.connection for asked in server.asked]
    assert first == second != of_child


@pytest.mark.parametrize("answer", [refusal("InternalFailure", 500), refusal("RequestThrottled"), HANG_UP])
def test_what_passes_is_tried_three_times(lean, server, answer):
    server.answers = [answer, answer]

    assert lean.call("ListQueues") == {}
    assert len(server.asked) == 3


def test_pauses_between_attempts_grow_where_sqs_throttles(lean, server, clock):
    before = clock.monotonic()
    server.answers = [refusal("RequestThrottled", **{"x-amz-retry-after": "4000"})]

    lean.call("ListQueues")

    assert clock.monotonic() - before >= 4.0


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refusal("InternalFailure", 500), AnswerLostError, "InternalFailure"),
        (refusal("RequestThrottled"), BusyError, "throttling"),
        (HANG_UP, AnswerLostError, r"ReceiveMessage: SQS in eu-west-1 at .* gave no answer"),
        ((503, {}, b"<html>Busy</html>"), AnswerLostError, "Busy"),
    ],
)
def test_what_does_not_pass_is_raised_after_three_attempts(lean, server, answer, error, words):
    server.answers = [answer] * 3

    with pytest.raises(error, match=words):
        lean.call("ReceiveMessage", QueueUrl=QUEUE)

    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refusal("QueueDoesNotExist"), QueueNotFoundError, "no queue 'shop-emails' in eu-west-1 at"),
        (refusal("AccessDenied", 403), RefusedError, "sqs:ReceiveMessage on queue 'shop-emails'.*Said so"),
        (
            refusal("OverLimit", 403, **{"x-amzn-query-error": "AWS.SimpleQueueService.OverLimit;Sender"}),
            BusyError,
            "under a lease",
        ),
        ((200, {}, b"<html>"), AnswerLostError, "no JSON object"),
        ((200, {}, b"[]"), AnswerLostError, "no JSON object"),
        ((404, {}, b"nothing here"), RefusedError, "404: nothing here"),
    ],
)
def test_what_would_be_said_again_is_raised_at_once(lean, server, answer, error, words):
    server.answers = [answer]

    with pytest.raises(error, match=words) as raised:
        lean.call("ReceiveMessage", QueueUrl=QUEUE)

    assert len(server.asked) == 1
    assert raised.value.queue == "emails"


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"])
def test_stale_credentials_are_renewed_and_the_call_made_again(lean, server, code, caplog):
    caplog.set_level(logging.INFO)
    server.answers = [refusal(code, 403)]

    assert lean.call("ListQueues") == {}

    assert [asked.headers["authorization"].partition("/")[0][-5:] for asked in server.asked] == [
        "AKID1",
        "AKID2",
    ]
    assert [record.action for record in caplog.records] == ["credentials_renewed"]


def test_credentials_that_stay_stale_are_renewed_once_a_call(lean, server):
    server.answers = [refusal("ExpiredToken", 403)] * 2

    with pytest.raises(BusyError, match="credentials have expired"):
        lean.call("ListQueues")

    assert len(server.asked) == 2


@pytest.mark.parametrize("code", ["RequestExpired", "SignatureDoesNotMatch", "RequestTimeTooSkewed"])
def test_a_clock_that_is_off_is_set_by_sqss_own(lean, server, clock, code):
    theirs = clock.now() + 7200
    server.answers = [refusal(code, 403, Date=formatdate(theirs, usegmt=True))]

    lean.call("ListQueues")
    lean.call("ListQueues")

    stamps = [datetime.strptime(one.headers["x-amz-date"], "%Y%m%dT%H%M%S%z") for one in server.asked]
    assert stamps[0] == datetime.fromtimestamp(clock.now(), UTC)
    assert stamps[1] == stamps[2] == stamps[0] + timedelta(hours=2)


def test_a_server_that_is_not_there_is_told_with_where_it_was_looked_for(clock):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://localhost:{taken.getsockname()[1]}"
    lean = LeanTransport(Place(endpoint, "eu-west-1", Keys()), Names(), clock)

    with pytest.raises(
        BrokerUnavailableError, match=f"can't be reached in eu-west-1 at {endpoint}"
    ) as raised:
        lean.call("ListQueues")

    assert not isinstance(raised.value, AnswerLostError)


def test_few_calls_are_made_twice_while_sqs_fails_for_everybody(lean, server):
    server.answers = [refusal("InternalFailure", 500)] * 1000

    for _ in range(40):
        with pytest.raises(AnswerLostError):
            lean.call("ListQueues")

    assert 40 < len(server.asked) < 80


def test_nothing_of_before_is_kept_after_a_restore(lean, server):
    lean.call("ListQueues")

    lean.forget()

    lean.call("ListQueues")
    first, second = server.asked
    assert first.connection != second.connection
    assert "AKID2" in second.headers["authorization"]


def test_a_server_is_trusted_by_the_bundle_that_was_named_and_by_no_other(tmp_path, clock):
    bundle, context = certified(tmp_path)
    with http_server(context) as server:
        trusting = LeanTransport(Place(server.endpoint, "eu-west-1", Keys(), str(bundle)), Names(), clock)
        other = LeanTransport(Place(server.endpoint, "eu-west-1", Keys()), Names(), clock)

        assert trusting.call("ListQueues") == {}
        with pytest.raises(BrokerUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            other.call("ListQueues")
        trusting.close()


def test_what_boto3_trusts_is_trusted():
    assert connections_module._usual().is_file()


def certified(folder):
    """A certificate for localhost by an authority of its own: the bundle, and a server's context."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    bundle, secret = folder / "ca.pem", folder / "key.pem"
    bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, secret)
    return bundle, context
