"""Where SQS is and who asks: what the environment says, and what is left to boto3."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from botocore.session import Session

from cloudq.brokers.sqs.boto import BotoTransport
from cloudq.brokers.sqs.choice import ChosenTransport
from cloudq.brokers.sqs.lean.credentials import ContainerCredentials, EnvironmentCredentials
from cloudq.brokers.sqs.lean.places import endpoint_in, in_environment, unusual
from cloudq.brokers.sqs.lean.signing import Credentials
from cloudq.brokers.sqs.lean.transport import LeanTransport
from cloudq.brokers.sqs.urls import SqsUrl
from cloudq.clock import FakeClock
from cloudq.errors import BrokerUnavailableError, ConfigurationError
from tests.http_server import http_server
from tests.scripted_sqs import HastyClock

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
REGION = {"AWS_REGION": "eu-west-1"}
NOW = 1_800_000_000.0


@pytest.fixture
def no_files(tmp_path):
    return {name: str(tmp_path / "none") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}


@pytest.fixture
def set_environment(monkeypatch, no_files):
    for name in ("REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)

    def set_environment(**variables):
        for name, value in {**no_files, **variables}.items():
            monkeypatch.setenv(name, value)

    return set_environment


def place(environment, url=None):
    return in_environment(url or SqsUrl(), environment.get, FakeClock(NOW))


def test_keys_and_a_region_in_the_environment_are_enough(no_files):
    found = place({**no_files, **KEYS, **REGION, "AWS_SESSION_TOKEN": "token"})

    assert (found.endpoint, found.region) == ("https://sqs.eu-west-1.amazonaws.com", "eu-west-1")
    assert found.credentials.get() == Credentials("AKID", "secret", "token")
    assert found.ca_bundle is None


@pytest.mark.parametrize(
    ("variables", "url", "endpoint"),
    [
        ({"AWS_ENDPOINT_URL": "http://a:1"}, SqsUrl(), "http://a:1"),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_SQS": "http://b:2/"}, SqsUrl(), "http://b:2"),
        ({"AWS_ENDPOINT_URL_SQS": "http://b:2"}, SqsUrl(endpoint="http://c:3"), "http://c:3"),
        ({}, SqsUrl("cn-north-1"), "https://sqs.cn-north-1.amazonaws.com.cn"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, SqsUrl(), "https://sqs.us-east-1.amazonaws.com"),
    ],
)
def test_the_strongest_word_says_where(no_files, variables, url, endpoint):
    assert place({**no_files, **KEYS, **REGION, **variables}, url).endpoint == endpoint


@pytest.mark.parametrize(
    "variables",
    [
        {**KEYS},
        {**REGION},
        {**REGION, "AWS_ACCESS_KEY_ID": "AKID"},
        {**KEYS, **REGION, "AWS_PROFILE": "shop"},
        {**KEYS, **REGION, "AWS_CONFIG_FILE": __file__},
        {**KEYS, **REGION, "AWS_ENDPOINT_URL": "https://host/path"},
        {**KEYS, "AWS_REGION": "us-iso-east-1"},
        {**REGION, "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"},
    ],
)
def test_what_the_environment_does_not_settle_is_left_to_botocore(no_files, variables):
    assert place({**no_files, **variables}) is None


@pytest.mark.parametrize(
    "variables",
    [{"HTTPS_PROXY": "http://proxy"}, {"http_proxy": "http://proxy"}, {"AWS_USE_FIPS_ENDPOINT": "true"}],
)
def test_what_only_boto3_knows_goes_through_boto3_and_is_told(set_environment, caplog, variables):
    caplog.set_level(logging.DEBUG, "cloudq")
    set_environment(**KEYS, **REGION, **variables)

    chosen = ChosenTransport(SqsUrl())._transport()

    assert isinstance(chosen, BotoTransport)
    (record,) = [one for one in caplog.records if getattr(one, "action", "") == "boto3_chosen"]
    assert next(iter(variables)) in record.getMessage()


def test_a_switch_that_is_off_is_nothing_unusual():
    assert unusual({"AWS_USE_FIPS_ENDPOINT": "false"}.get) is None


@pytest.mark.parametrize(
    "region", ["eu-west-1", "us-gov-east-1", "cn-northwest-1", "mx-central-1", "me-west-1"]
)
def test_sqs_is_looked_for_where_botocore_looks(set_environment, region):
    set_environment(**KEYS)

    client = Session().create_client("sqs", region_name=region)

    assert endpoint_in(region) == client.meta.endpoint_url
    client.close()


@pytest.mark.parametrize("region", ["us-iso-east-1", "eu-isoe-west-1", "eusc-de-east-1", "nowhere"])
def test_a_region_elsewhere_is_left_to_botocore(region):
    assert endpoint_in(region) is None


def test_profiles_are_read_by_botocore_and_the_requests_are_ours(set_environment, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "[profile shop]\nregion = eu-north-1\naws_access_key_id = AKIDFILE\naws_secret_access_key = s\n"
        "ca_bundle = /bundle.pem\nservices = ours\n[services ours]\nsqs =\n  endpoint_url = http://localhost:9\n"
    )
    set_environment(AWS_CONFIG_FILE=str(config), AWS_PROFILE="shop")

    chosen = ChosenTransport(SqsUrl())._transport()

    assert isinstance(chosen, LeanTransport)
    assert (chosen.region, chosen.endpoint) == ("eu-north-1", "http://localhost:9")
    assert chosen._credentials.get() == Credentials("AKIDFILE", "s")
    assert chosen._connections._ca_bundle == "/bundle.pem"


def test_credentials_that_botocore_found_are_looked_for_anew_when_they_are_stale(set_environment, tmp_path):
    file = tmp_path / "credentials"
    set_environment(AWS_SHARED_CREDENTIALS_FILE=str(file), **REGION)
    file.write_text("[default]\naws_access_key_id = AKID1\naws_secret_access_key = s\n")
    credentials = ChosenTransport(SqsUrl())._transport()._credentials
    assert credentials.get() == Credentials("AKID1", "s")

    file.write_text("[default]\naws_access_key_id = AKID2\naws_secret_access_key = s\n")
    credentials.refresh()

    assert credentials.get() == Credentials("AKID2", "s")


def test_keys_in_the_environment_are_read_anew_when_they_are_stale():
    environment = dict(KEYS)
    credentials = EnvironmentCredentials(environment.get)
    credentials.get()
    environment["AWS_ACCESS_KEY_ID"] = "AKID2"

    assert credentials.get().access_key == "AKID"
    credentials.refresh()

    assert credentials.get().access_key == "AKID2"


class TestAContainersEndpoint:
    @pytest.fixture
    def server(self):
        with http_server() as server:
            yield server

    @pytest.fixture
    def clock(self):
        return HastyClock(NOW)

    @pytest.fixture
    def credentials(self, server, clock):
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.endpoint}/v1/keys?x=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer me",
        }
        return ContainerCredentials(environment.get, clock)

    def keys(self, number, *, at=NOW, lasting=3600.0):
        expires = datetime.fromtimestamp(at + lasting, UTC).isoformat().replace("+00:00", "Z")
        told = {"AccessKeyId": f"A{number}", "SecretAccessKey": "s", "Token": "t", "Expiration": expires}
        return 200, {}, json.dumps(told).encode()

    def test_is_asked_with_its_token_and_once(self, server, credentials):
        server.answers = [self.keys(1)]

        assert [credentials.get() for _ in range(3)] == [Credentials("A1", "s", "t")] * 3

        (asked,) = server.asked
        assert (asked.method, asked.path, asked.headers["authorization"]) == (
            "GET",
            "/v1/keys?x=1",
            "Bearer me",
        )

    def test_is_asked_again_before_they_expire(self, server, credentials, clock):
        server.answers = [self.keys(1), self.keys(2, at=NOW + 3600)]
        credentials.get()

        clock.advance(2999)
        assert credentials.get().access_key == "A1"
        clock.advance(2)

        assert credentials.get().access_key == "A2"

    def test_those_at_hand_are_used_up_while_it_fails(self, server, credentials, clock, caplog):
        server.answers = [self.keys(1), *[(500, {}, b"down")] * 6]
        credentials.get()

        clock.advance(3100)
        assert credentials.get().access_key == "A1"
        assert [record.action for record in caplog.records] == ["credentials_not_renewed"]

        clock.advance(600)
        with pytest.raises(BrokerUnavailableError, match=r"endpoint gives no AWS credentials now.*500: down"):
            credentials.get()

    def test_is_asked_again_for_those_that_aws_does_not_take(self, server, credentials):
        server.answers = [self.keys(1), self.keys(2)]
        credentials.get()

        credentials.refresh()

        assert credentials.get().access_key == "A2"

    def test_of_a_stranger_is_not_asked_in_the_clear(self, clock):
        environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.org/keys"}

        with pytest.raises(ConfigurationError, match=r"example\.org"):
            ContainerCredentials(environment.get, clock).get()

    def test_has_its_token_in_a_file_that_changes(self, server, clock, tmp_path):
        file = tmp_path / "token"
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
        }
        credentials = ContainerCredentials(environment.get, clock)
        server.answers = [self.keys(1), self.keys(2)]

        for token in ("one", "two"):
            file.write_text(token)
            credentials.refresh()
            credentials.get()

        assert [asked.headers["authorization"] for asked in server.asked] == ["one", "two"]

    def test_stands_where_the_environment_has_no_keys(self, no_files):
        variables = {**no_files, **REGION, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/keys"}

        assert isinstance(place(variables).credentials, ContainerCredentials)
        assert isinstance(place({**variables, **KEYS}).credentials, EnvironmentCredentials)


def test_a_snapshot_that_is_restored_forgets_connections_and_credentials(tmp_path):
    (tmp_path / "snapshot_restore_py.py").write_text(
        "hooks = []\ndef register_after_restore(call):\n    hooks.append(call)\n"
    )
    program = """
import snapshot_restore_py
from cloudq.brokers.sqs.choice import ChosenTransport
from cloudq.brokers.sqs.urls import SqsUrl
transport = ChosenTransport(SqsUrl())._transport()
before = transport._credentials.get()
import os
os.environ["AWS_ACCESS_KEY_ID"] = "AKID2"
for hook in snapshot_restore_py.hooks:
    hook()
print(before.access_key, transport._credentials.get().access_key)
"""
    environment = {
        **KEYS, **REGION, "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
    }  # fmt: skip

    command = [sys.executable, "-c", program]
    run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)

    assert (run.stdout, run.stderr) == ("AKID AKID2\n", "")
