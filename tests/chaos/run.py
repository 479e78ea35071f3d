"""One chaos run: a broker, a publisher, two workers, and a hand that kills them at random.

    python -m tests.chaos.run --broker redis --tasks 100000 --seed 7

The seed decides what is killed and when; how the machine's processes fall into place it can't decide. Its
sleeps are its nature, where a test would wait for something: a kill comes at no moment of anybody's choice.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.chaos.publisher_plan import CHUNK, kind_of
from tests.chaos.stages import PATIENCE, RabbitStage, RedisStage, SqliteStage, SqsStage, Stage
from tests.chaos.verdict import Kill, Verdict, judge
from tests.integration.worker_process import WorkerProcess, lines
from tests.waiting import wait_until

HERE = Path(__file__).parent
SPREADING = {"duplicate", "reorder", "expire_lease", "lost_response", "reset", "error", "partial"}
"""Faults after which a message may rightly run again."""
BATCH = 10
"""Messages that one request of SQS holds."""

FAULTS: Mapping[str, float] = {
    "throttle": 0.01,
    "error": 0.01,
    "latency": 0.01,
    "reset": 0.005,
    "lost_response": 0.005,
    "partial": 0.01,
    "duplicate": 0.005,
    "reorder": 0.01,
    "expire_lease": 0.002,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run.

    Args:
        broker: One of `BROKERS`.
        tasks: How many messages, those of the ordered groups apart.
        groups: Ordered groups; each gets a message with every hundred others.
        kills: How many processes are killed.
        pause: Seconds between two kills, on the average.
        seed: Of the kills and of the faults.
        faults: Whether the emulator gets faults, too.
        patience: Seconds after the last kill in which everything has to be done.
        environment: What the workers are told besides.
    """

    broker: str
    tasks: int = 100_000
    groups: int = 10
    kills: int = 40
    pause: float = 1.5
    seed: int = 1
    faults: bool = False
    patience: float = 300.0
    environment: Mapping[str, str] = field(default_factory=dict)


class Run:
    """A run in a folder of its own."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self._random = random.Random(plan.seed)
        self._stage = _stage(plan, folder)
        self._environment = {
            **self._stage.environment,
            "CLOUDQ_TEST_CHAOS": str(folder),
            "CLOUDQ_TASK_LEASE": "10",
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            **plan.environment,
        }
        self._workers: dict[int, WorkerProcess] = {}
        self._logs = 0
        self._kills: list[Kill] = []

    def play(self) -> Verdict:
        """Run it; the verdict."""
        publisher = None
        try:
            self._stage.start()
            publisher = self._publish()
            for place in range(2):
                self._hire(place)
            self._kill_at_random()
            self._wait_for_the_end(publisher)
        finally:
            for worker in self._workers.values():
                worker.kill_group()
            if publisher is not None:
                publisher.kill()
                publisher.wait()
            self._stage.close()
        return self._judge()

    def _publish(self) -> subprocess.Popen[bytes]:
        plan = self.plan
        groups = plan.groups if self._stage.is_ordered else 0
        arguments = [str(plan.tasks), str(groups), str(plan.kills * plan.pause * 0.8)]
        with (self.folder / "publisher.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, str(HERE / "publisher.py"), *arguments],
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
            )

    def _hire(self, place: int) -> None:
        self._logs += 1
        log = self.folder / f"worker{self._logs}.log"
        queues = "default,line.fifo" if self._stage.is_ordered else "default"
        options = ("-c", "2", "-l", "DEBUG", "-Q", queues)
        self._workers[place] = WorkerProcess(log, self._environment, *options, app="chaos_app", folder=HERE)

    # What is killed

    def _kill_at_random(self) -> None:
        for number, kind in enumerate(itertools.islice(self._victims(), self.plan.kills)):
            time.sleep(self._random.expovariate(1 / self.plan.pause))
            self._kill(kind)
            print(f"\r{number + 1}/{self.plan.kills} kills", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)

    def _victims(self) -> Iterator[str]:
        """What to kill: each kind early, so that a short run has them all, and a forkserver half as often."""
        often = ["worker", "child", *(["broker"] if self._stage.can_be_killed else [])]
        while True:
            for kinds in ([*often, "forkserver"], often):
                yield from self._random.sample(kinds, len(kinds))

    def _kill(self, kind: str) -> None:
        if kind == "broker":
            self._stage.kill()
            self._note(kind, None)
            time.sleep(self._random.uniform(0, 1))
            self._stage.start()
            return
        place = self._random.choice(list(self._workers))
        worker = wait_until(lambda: self._ready(place), "a worker that runs", PATIENCE)
        if kind == "worker":
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            self._note(kind, worker)
            self._hire(place)
            return
        find = worker.children if kind == "child" else worker.forkservers
        wait_until(lambda: self._hit(find()), f"a {kind} to kill")
        self._note(kind, worker)

    def _hit(self, found: list[int]) -> bool:
        for pid in self._random.sample(found, len(found)):
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile, by itself
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def _ready(self, place: int) -> WorkerProcess | None:
        self._tend()
        worker = self._workers[place]
        return worker if worker.events("child_ready") else None

    def _note(self, what: str, worker: WorkerProcess | None) -> None:
        self._kills.append(Kill(what, time.time(), worker.log.name if worker else None))

    # How it ends

    def _wait_for_the_end(self, publisher: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + self.plan.patience
        while time.monotonic() < until:
            self._tend()
            assert publisher.poll() in (None, 0), (self.folder / "publisher.log").read_text()[-2000:]
            if publisher.poll() == 0 and not self._missing() and self._is_empty():
                return
            time.sleep(0.5)

    def _tend(self) -> None:
        """Be the process manager: a worker that comes up while its broker is down ends; start it anew."""
        for place, worker in list(self._workers.items()):
            if not worker.is_running:
                text = worker.log.read_text()
                assert not worker.events("child_ready"), f"what nobody killed must live: {text[-2000:]}"
                assert self._stage.can_be_killed, text[-2000:]
                self._hire(place)

    def _expected(self) -> list[str]:
        plan = self.plan
        names = [f"{kind_of(number)} {number}" for number in range(plan.tasks)]
        chunks = -(-plan.tasks // CHUNK)
        groups = plan.groups if self._stage.is_ordered else 0
        return names + [f"in_line {group}/{place}" for group in range(groups) for place in range(chunks)]

    def _missing(self) -> set[str]:
        done = {" ".join(line.split()[:2]) for line in self._runs() if line.split()[2] == "D"}
        return set(self._expected()) - done

    def _is_empty(self) -> bool:
        """Whether the broker counts nothing any more: what came last is acked, too."""
        command = [sys.executable, "-m", "cloudq", "queue", "stats", "-A", "chaos_app", "--json"]
        environment = {**os.environ, **self._environment}
        told = subprocess.run(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, check=False)
        if told.returncode and self.plan.faults:
            return False  # several faults in a row met the question itself: it is asked again
        told.check_returncode()
        counts = ("ready", "leased", "delayed", "dead")
        queues = [queue for queue in json.loads(told.stdout)["queues"] if queue["exists"]]
        return not any(queue[count] for queue in queues for count in counts)

    def _runs(self) -> list[str]:
        return lines(self.folder / "runs")

    def _judge(self) -> Verdict:
        stage = self._stage
        spread = expired = 0
        if isinstance(stage, SqsStage):
            spread = BATCH * sum(count for kind, count in stage.hits.items() if kind in SPREADING)
            expired = BATCH * stage.hits.get("expire_lease", 0)
        return judge(
            expected=self._expected(),
            runs=self._runs(),
            resent=lines(self.folder / "resent"),
            logs={path.name: lines(path) for path in self.folder.glob("worker*.log")},
            kills=self._kills,
            ordered=stage.is_ordered,
            faults=spread,
            expired=expired,
        )


BROKERS = ("sqlite", "sqs", "redis", "rabbitmq", "rabbitmq-classic")


def _stage(plan: Plan, folder: Path) -> Stage:
    match plan.broker:
        case "sqlite":
            return SqliteStage(folder)
        case "sqs":
            return SqsStage(folder, FAULTS if plan.faults else None, plan.seed)
        case "redis":
            return RedisStage(folder)
        case "rabbitmq":
            return RabbitStage(folder, "quorum")
        case "rabbitmq-classic":
            return RabbitStage(folder, "classic")
        case other:
            raise ValueError(f"no stage for {other!r}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True, choices=BROKERS)
    parser.add_argument("--tasks", type=int, default=Plan.tasks)
    parser.add_argument("--kills", type=int, default=Plan.kills)
    parser.add_argument("--pause", type=float, default=Plan.pause)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--faults", action="store_true", help="SQS: order every fault of the emulator, too")
    parser.add_argument("--folder", type=Path, help="Keep what the run leaves here.")
    said = vars(parser.parse_args())
    folder = said.pop("folder") or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"{folder} isn't empty: a run's lines must not mix with another's")
    started = time.monotonic()
    verdict = Run(Plan(**said), folder.resolve()).play()
    told = asdict(verdict) | {"lost": len(verdict.lost), "unordered": len(verdict.unordered)}
    print(json.dumps({**said, **told, "seconds": round(time.monotonic() - started, 1)}))
    print(f"{'good' if verdict.is_good else 'BAD'}; what it left: {folder}", file=sys.stderr)
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
