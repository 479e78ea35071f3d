"""pytest fixtures for apps: `cloudq_app`, `cloudq_worker`.

def test_order_is_confirmed(cloudq_worker):
    place_order.delay(7)
    cloudq_worker.drain()
    assert ...

To test an app of your own, override `cloudq_app`:

    @pytest.fixture
    def cloudq_app():
        with cloudq.testing.in_memory(shop.tasks.app) as app:
            yield app
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cloudq.app import App
    from cloudq.testing.inline import InlineWorker

__all__ = ["cloudq_app", "cloudq_worker"]


@pytest.fixture
def cloudq_app() -> Iterator[App]:
    """An app with queues and results in memory and a clock that stands still, deaf to the environment."""
    from cloudq.app import App
    from cloudq.testing.inline import in_memory

    with in_memory(App("test", environ={})) as app:
        yield app


@pytest.fixture
def cloudq_worker(cloudq_app: App) -> InlineWorker:
    """What runs the messages of `cloudq_app`: call `drain()`."""
    from cloudq.testing.inline import InlineWorker

    return InlineWorker(cloudq_app)
