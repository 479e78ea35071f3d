"""One emulator for the session, in a thread of this process, emptied before each test."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

import boto3
import pytest
from botocore.config import Config

from cloudq_emulator.server import Server
from tests.waiting import wait_until

REGION = "eu-west-1"


@dataclass
class Emulator:
    """A running emulator and ways to talk to it."""

    endpoint: str
    server: Server
    clients: dict = field(default_factory=dict)

    def client(self, service, *, region=REGION, key="test"):
        """A boto3 client of it, kept for the session: making one is slow."""
        name = (service, region, key)
        if name not in self.clients:
            self.clients[name] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=region,
                aws_access_key_id=key,
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50, read_timeout=30),
            )
        return self.clients[name]

    def control(self, method, path, content=None):
        """Ask the control API; answers the status and what came."""
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def create_function(self, name, source, **options):
        """Make a function whose module is this source; a client for Lambda."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", source)
        policy = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = self.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        lambda_ = self.client("lambda")
        lambda_.create_function(
            FunctionName=name,
            Role=role,
            Handler="app.handler",
            Runtime="python3.12",
            Code={"ZipFile": buffer.getvalue()},
            **options,
        )
        return lambda_

    def wait_for_polls(self, count):
        """Return once `count` long polls wait."""
        wait_until(
            lambda: self.control("GET", "/_cloudq/health")[1]["waiting"] == count, f"{count} long polls"
        )

    def clock(self, **order):
        """Move its clock."""
        status, answer = self.control("POST", "/_cloudq/clock", order)
        assert status == 200, answer
        return answer


def _run(started: Future, stop: list) -> None:
    async def serve():
        server = Server(port=0)
        stopped = asyncio.Event()
        await server.start()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(stopped.set))
        started.set_result(server)
        await stopped.wait()
        await server.stop()

    try:
        asyncio.run(serve())
    except BaseException as error:
        with suppress(Exception):
            started.set_exception(error)
        raise


@pytest.fixture(scope="session")
def running_emulator():
    started, stop = Future(), []
    thread = threading.Thread(target=_run, args=(started, stop), name="emulator")
    thread.start()
    server = started.result(timeout=30)
    emulator = Emulator(server.endpoint, server)
    yield emulator
    for client in emulator.clients.values():
        client.close()
    stop[0]()
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture
def emulator(running_emulator):
    """The emulator, empty and on real time."""
    status, _ = running_emulator.control("POST", "/_cloudq/reset")
    assert status == 200
    return running_emulator


@pytest.fixture
def sqs(emulator):
    """A boto3 client for SQS."""
    return emulator.client("sqs")
