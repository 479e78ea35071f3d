"""Several messages at once, in one event loop: coroutine functions in it, the rest in threads beside it."""

from __future__ import annotations

import threading

from cloudq.worker.executors import Job, Runner

__all__ = ["run_loop"]


def run_loop(runner: Runner) -> None:
    """Run jobs in an event loop, up to `slots` at once."""
    import asyncio

    asyncio.run(_run(runner))


async def _run(runner: Runner) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(runner.slots, "cloudq-task"))
    jobs: asyncio.Queue[Job | None] = asyncio.Queue()
    room = threading.Semaphore(runner.slots)

    def take() -> None:
        # What can't run yet stays with the child, from where a stopping supervisor calls it back.
        while room.acquire() and (job := runner.take()) is not None:
            loop.call_soon_threadsafe(jobs.put_nowait, job)
        loop.call_soon_threadsafe(jobs.put_nowait, None)

    def start(job: Job) -> None:
        task = asyncio.create_task(runner.run_async(job))
        running.add(task)
        task.add_done_callback(done)

    def done(task: asyncio.Task[None]) -> None:
        running.discard(task)
        # Straight on, if possible: a thread would wait for its turn until this one has nothing to do.
        if (job := runner.take_ready()) is not None:
            start(job)
        else:
            room.release()

    threading.Thread(target=take, name="cloudq-take", daemon=True).start()
    running: set[asyncio.Task[None]] = set()
    while (job := await jobs.get()) is not None:
        start(job)
    await asyncio.gather(*running)
