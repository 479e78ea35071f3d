"""A worker's logs: a line an event, JSON unless a person is watching. Only commands set them up."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["set_up_logs"]

_TALKATIVE = ("boto3", "botocore", "urllib3")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Json(logging.Formatter):
    def __init__(self, worker: str) -> None:
        super().__init__()
        self._named = {"worker": worker} if worker else {}

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._named,
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        fields = _fields(record)
        told = [str(fields[name]) for name in ("task", "message_id") if fields.get(name)]
        line = f"{at} {record.levelname:<7} {' '.join([*told, record.getMessage()])}"
        trace = self.formatException(record.exc_info) if record.exc_info else fields.get("traceback")
        return f"{line}\n{trace}" if trace else line


def set_up_logs(level: str, *, is_json: bool, worker: str = "") -> None:
    """Write the process's logs to standard error.

    Args:
        level: The lowest level that is written.
        is_json: Whether a line is a JSON object rather than text.
        worker: The worker's name, for JSON lines; empty for none.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(worker) if is_json else _Plain())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel("WARNING")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
