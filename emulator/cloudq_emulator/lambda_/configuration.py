"""A function's settings as values, and the environment that its processes get from them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SYSTEM_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one version of a function is; two that are equal may share warm processes.

    Args:
        account: The account's 12 digits.
        region: The function's region.
        name: The function's name.
        version: "$LATEST" or a number.
        handler: `module.function`, as AWS takes it.
        timeout: Seconds an invocation may take.
        memory_mb: Memory size; told to the function, not enforced.
        runtime: AWS's name of the runtime, such as "python3.12".
        code_sha256: Which code it runs.
        variables: The function's own environment variables, sorted.
    """

    account: str
    region: str
    name: str
    version: str
    handler: str
    timeout: float
    memory_mb: int
    runtime: str
    code_sha256: str
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def arn(self) -> str:
        """The function's ARN, without a qualifier."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.name}"


def process_environment(
    configuration: Configuration, *, code: Path, runtime_api: str, endpoint: str, log_stream: str
) -> dict[str, str]:
    """The environment of a function's process: what AWS sets, the emulator's address, the function's own.

    Args:
        configuration: The function.
        code: The folder that its code was unpacked to.
        runtime_api: Host and port of the process's Runtime API.
        endpoint: The emulator's URL.
        log_stream: The name of the process's log stream.
    """
    lambda_sets = {
        "_HANDLER": configuration.handler,
        "AWS_DEFAULT_REGION": configuration.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": configuration.name,
        "AWS_LAMBDA_FUNCTION_VERSION": configuration.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": configuration.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_REGION": configuration.region,
        "LAMBDA_RUNTIME_DIR": str(Path(sys.prefix)),
        "LAMBDA_TASK_ROOT": str(code),
        "LANG": "en_US.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
        "TZ": ":UTC",
    }
    # The emulator reads the account from a 12-digit access key, so a function acts in its own account.
    here = {
        "AWS_ACCESS_KEY_ID": configuration.account,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_SECRET_ACCESS_KEY": "emulated",
        "AWS_SESSION_TOKEN": "emulated",
    }
    return {**here, **dict(configuration.variables), **lambda_sets}
