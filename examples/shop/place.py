"""Where the shop keeps its files, and which process is at work."""

from __future__ import annotations

import os
from pathlib import Path


def folder(name: str) -> Path:
    """A folder of the shop's own, made if need be; they all lie in `SHOP_FOLDER`."""
    path = Path(os.environ.get("SHOP_FOLDER", "shop-output")) / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def here() -> str:
    """The Lambda function that runs this, or the process."""
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or f"process {os.getpid()}"
