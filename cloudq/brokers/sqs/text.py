"""What text SQS carries: the characters that XML 1.0 allows, at least one of them.

Source: SQS API Reference, SendMessage, "Important", read 2026-11.
"""

from __future__ import annotations

import re

__all__ = ["clean", "fault"]

# The complement of XML's list, which is the shorter: the list itself takes milliseconds to compile, in each
# cold start of a function.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
REPLACEMENT = "\ufffd"


def clean(text: str) -> str:
    """A text with what SQS can't carry replaced."""
    return _FORBIDDEN.sub(REPLACEMENT, text)


def fault(body: bytes) -> str | None:
    """Why SQS can't carry a body; None where it can."""
    if not body:
        return "SQS takes no empty message"
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return f"SQS takes text only, and byte {error.start} of the body is no UTF-8; encode it, as in base64"
    if found := _FORBIDDEN.search(text):
        return (
            f"SQS can't carry the character U+{ord(found[0]):04X} (at {found.start()}): XML 1.0 forbids it; "
            "escape it, as JSON does"
        )
    return None
