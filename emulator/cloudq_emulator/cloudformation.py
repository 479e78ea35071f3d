"""Deploying a template to the emulator: what `sam package` and `sam deploy` do, in a second."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cloudq.clock import Clock, SystemClock
from cloudq.errors import CloudqError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "build", "dist", "node_modules"})
"""Left out of a function's zip, and so is every name that begins with a dot (.git, .venv, caches)."""

STACK_SECONDS: Final = 60.0
"""How long a stack may take; moto makes most resources at once."""

_POLL_SECONDS: Final = 0.1
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first date a zip can hold: equal files make equal zips
_BUCKET: Final = "cloudq-deployments"

_CODE: Final = {"AWS::Serverless::Function": "CodeUri", "AWS::Lambda::Function": "Code"}
"""The property that may name a local folder, by resource type."""


class DeployError(CloudqError):
    """A template couldn't be deployed; the message has the reasons from the stack's events."""


def deploy_template(
    path: Path,
    endpoint: str,
    *,
    stack_name: str | None = None,
    parameters: Mapping[str, str] | None = None,
    account: str = "000000000000",
    region: str | None = None,
    clock: Clock | None = None,
) -> dict[str, str]:
    """Create a stack, or update it if there is one, from a SAM or CloudFormation template.

    Local folders that functions name as their code are zipped and uploaded first.

    Args:
        path: The template, YAML or JSON.
        endpoint: The emulator's URL.
        stack_name: The stack; by default it is called like the template's folder.
        parameters: The template's parameters.
        account: The account to deploy to.
        region: The region; by default the one that boto3 finds configured, else us-east-1.
        clock: The real clock; waits for the stack.

    Returns:
        The stack's outputs.

    Raises:
        DeployError: The template can't be read or the stack failed.
    """
    cloud = _Cloud.connect(endpoint, account, region)
    template = _read(path)
    for folder, resource, name in _local_code(template, path.parent):
        resource["Properties"][name] = cloud.upload(_zip(folder), as_uri=name == "CodeUri")
    name = stack_name or re.sub(r"[^A-Za-z0-9]+", "-", path.resolve().parent.name).strip("-") or "stack"
    return cloud.deploy(name, template, parameters or {}, clock or SystemClock())


def _read(path: Path) -> dict[str, Any]:
    from samtranslator.yaml_helper import yaml_parse
    from yaml import YAMLError

    try:
        template = yaml_parse(path.read_text())
    except OSError as error:
        raise DeployError(f"Can't read the template {path}: {error.strerror}.") from error
    except (YAMLError, ValueError) as error:
        raise DeployError(f"The template {path} is neither YAML nor JSON: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise DeployError(f"The template {path} has no Resources.")
    for logical_id, resource in template["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise DeployError(f"The template {path} has a resource without a Type: {logical_id}.")
    return dict(template)


def _local_code(template: Mapping[str, Any], root: Path) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Every function whose code is a local folder: the folder, the resource, the property."""
    shared = template.get("Globals", {}).get("Function", {}).get("CodeUri")
    for logical_id, resource in template["Resources"].items():
        name = _CODE.get(resource.get("Type", ""))
        if name is None:
            continue
        properties = resource.setdefault("Properties", {})
        code = properties.get(name, shared if "InlineCode" not in properties else None)
        if not isinstance(code, str) or code.startswith("s3://"):
            continue
        folder = (root / code).resolve()
        if not folder.is_dir():
            raise DeployError(f"{logical_id}: {name} names {folder}, which is no folder.")
        yield folder, resource, name


def _zip(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(_files(folder)):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = (file.stat().st_mode & 0o777) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in SKIPPED_FOLDERS:
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


@dataclass(frozen=True, slots=True)
class _Cloud:
    """The emulator's S3 and CloudFormation."""

    s3: Any
    cloudformation: Any
    region: str

    @classmethod
    def connect(cls, endpoint: str, account: str, region: str | None) -> _Cloud:
        from boto3 import Session
        from botocore.config import Config

        # An emulator takes the account from a 12-digit access key; the caller's own keys stay out of it.
        session = Session(aws_access_key_id=account, aws_secret_access_key="emulated")  # noqa: S106
        chosen = region or session.region_name or "us-east-1"
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        options = {"endpoint_url": endpoint, "region_name": chosen, "config": config}
        return cls(session.client("s3", **options), session.client("cloudformation", **options), chosen)

    def upload(self, content: bytes, *, as_uri: bool) -> str | dict[str, str]:
        """Store a zip under its hash, so that code that didn't change is no change of the stack."""
        bucket, key = f"{_BUCKET}-{self.region}", hashlib.sha256(content).hexdigest()
        where = {"LocationConstraint": self.region}
        where_else = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": where}
        if bucket not in {each["Name"] for each in self.s3.list_buckets()["Buckets"]}:
            self.s3.create_bucket(Bucket=bucket, **where_else)
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)
        return f"s3://{bucket}/{key}" if as_uri else {"S3Bucket": bucket, "S3Key": key}

    def deploy(
        self, name: str, template: Mapping[str, Any], parameters: Mapping[str, str], clock: Clock
    ) -> dict[str, str]:
        from botocore.exceptions import ClientError

        request: dict[str, Any] = {
            "StackName": name,
            "TemplateBody": json.dumps(template),
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        try:
            if self._exists(name):
                self.cloudformation.update_stack(**request)
            else:
                self.cloudformation.create_stack(**request)
        except ClientError as error:
            raise DeployError(f"Stack {name}: {error.response['Error']['Message']}") from error
        stack = self._finished(name, clock)
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _exists(self, name: str) -> bool:
        """Whether there is a stack to update; one whose creation failed is removed, as AWS demands."""
        stack = next((each for each in self._stacks() if each["StackName"] == name), None)
        if stack is not None and stack["StackStatus"] == "ROLLBACK_COMPLETE":
            self.cloudformation.delete_stack(StackName=name)
            return False
        return stack is not None

    def _stacks(self) -> Iterator[dict[str, Any]]:
        for page in self.cloudformation.get_paginator("describe_stacks").paginate():
            yield from page["Stacks"]

    def _finished(self, name: str, clock: Clock) -> dict[str, Any]:
        until = clock.monotonic() + STACK_SECONDS
        while True:
            stack = next(each for each in self._stacks() if each["StackName"] == name)
            if stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
                return stack
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                raise DeployError(f"Stack {name}: {stack['StackStatus']}. {self._reasons(name)}")
            if clock.monotonic() > until:
                raise DeployError(f"Stack {name}: not finished after {STACK_SECONDS:.0f} s.")
            clock.sleep(_POLL_SECONDS)

    def _reasons(self, name: str) -> str:
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failures = {
            event["ResourceStatusReason"]
            for event in events
            if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
        }
        return " ".join(sorted(failures))
