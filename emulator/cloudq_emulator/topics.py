"""Topics as SNS has them, where moto's differ: what queues get of them.

Sources: Amazon SNS API Reference, Publish, MessageDeduplicationId; LocalStack's test_message_to_fifo_sqs in
tests/aws/services/sns/test_sns.py, which AWS passes; both read 2026-11.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import Any, Final

from moto.sns.models import Subscription, Topic

_SIGNATURE: Final = ("Signature", "SignatureVersion", "SigningCertURL")
"""What SNS leaves out of a FIFO topic's notifications."""
_publish: Final = Topic.publish
_get_post_data: Final = Subscription.get_post_data
_next_number: Final = itertools.count(1).__next__


def install() -> None:
    """Have moto's topics publish as SNS does; once is enough for a process."""
    Topic.publish = publish  # pyright: ignore[reportAttributeAccessIssue]
    Subscription.get_post_data = get_post_data  # pyright: ignore[reportAttributeAccessIssue]


def publish(topic: Topic, message: str, *args: Any, **kwargs: Any) -> str:
    """As moto's, but a FIFO topic's message has a deduplication id in any case: by its content."""
    if topic.fifo_topic and not kwargs.get("deduplication_id"):
        kwargs["deduplication_id"] = hashlib.sha256(message.encode()).hexdigest()
    return _publish(topic, message, *args, **kwargs)


def get_post_data(subscription: Subscription, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """As moto's, but it tells of this subscription, and a FIFO topic's is numbered, and not signed."""
    notification = _get_post_data(subscription, *args, **kwargs)
    host = f"https://sns.{subscription.topic.sns_backend.region_name}.amazonaws.com"
    notification["UnsubscribeURL"] = f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription.arn}"
    if subscription.topic.fifo_topic:
        for name in _SIGNATURE:
            notification.pop(name, None)
        notification["SequenceNumber"] = f"1{_next_number():016}000"
    return notification
