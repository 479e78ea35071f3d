"""Where the texts of refusals were seen."""

from __future__ import annotations

from typing import Final

RECORDED: Final = (
    "recorded from AWS: LocalStack's tests/aws/services/sqs/test_sqs.snapshot.json, 2024-04 to 2025-12"
)
RECORDED_TASK: Final = (
    "recorded from AWS: LocalStack's tests/aws/services/sqs/test_sqs_move_task.snapshot.json, 2024-01"
)
ASSERTED: Final = "asserted against AWS: LocalStack's tests/aws/services/sqs/test_sqs.py"
CONNECTOR: Final = (
    "asserted against AWS: tests of github.com/ballerina-platform/module-ballerinax-aws.sqs, 2025"
)
MULE: Final = "asserted against AWS: RemovePermissionTestCases of MuleSoft's SQS connector, 2015"
KINESIS: Final = (
    "asserted against AWS: tests of github.com/mhart/kinesalite, for Kinesis, which has the same framework"
)
QUOTED: Final = "quoted from AWS: github.com/Inqnuam/local-aws-sqs, whose authors asked AWS, read 2026-11"
"""Another emulator's, whose notes tell of AWS's answers: better than a guess, less than a recording."""


def reported(*threads: str) -> str:
    """Texts that people have pasted.

    Args:
        threads: Of GitHub, as ``owner/repository/issues/1``.
    """
    return "reported from AWS: " + ", ".join(f"github.com/{thread}" for thread in threads)
