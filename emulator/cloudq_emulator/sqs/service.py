"""The door to SQS for everybody in this process: both protocols, event source mappings, moto's services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class SqsService:
    """SQS's operations over the engine; lives on the event loop's thread."""

    async def call(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        account: str,
        region: str,
        origin: str = "",
    ) -> dict[str, Any]:
        """Run one operation; a ReceiveMessage with a wait returns as soon as there is a message.

        Args:
            operation: The operation's name, as ``SendMessage``.
            params: The request as the JSON protocol has it (binary values as bytes or base64 text).
            account: The caller's account, twelve digits.
            region: The caller's region.
            origin: What queue URLs in the answer begin with (``http://localhost:4566``); the server's own if empty.

        Raises:
            SqsError: SQS refuses.
        """
        raise NotImplementedError
