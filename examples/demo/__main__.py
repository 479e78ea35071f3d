"""`make demo`: the shop's work through queues, a worker and a Lambda function, on this machine alone.

    emulator up, template deployed → work published → consumers started → watched → read back → shown

The exit code is 0 only if every number is what it should be. `DEMO_BREAK=worker` starts no worker,
`DEMO_BREAK=lambda` leaves the event source mapping switched off; `DEMO_OUTPUT=FOLDER` is another folder than
`demo-output`; `DEMO_SVG=FILE` keeps a picture of the terminal.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from cloudq.clock import Clock, SystemClock
from examples.demo import cloud as clouds
from examples.demo.audit import Findings, audit
from examples.demo.inputs import QUEUES, all_work
from examples.demo.page import write_page
from examples.demo.processes import ChildDiedError, Children
from examples.demo.publish import call_here, publish
from examples.demo.show import Screen
from examples.demo.smtp_sink import SmtpSink
from examples.demo.watching import watch

ROOT = Path(__file__).resolve().parents[2]
MADE = ("inbox", "logs", "reports", "sheets", "thumbnails")
UNFINISHED = "unfinished"
"""Where a run's files lie until it has ended: what an earlier one made stays until then."""

NOT_OURS = ("AWS_", "CLOUDQ_", "SHOP_")
"""Variables that would lead the demo to somebody's real queues."""


def main() -> int:
    """Run the demo; gives the exit code."""
    os.chdir(ROOT)
    clock = SystemClock()
    screen = Screen(clock)
    output = Path(os.environ.get("DEMO_OUTPUT", "demo-output")).resolve()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    _forget_others()
    unfinished = output / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        findings = _run(screen, unfinished, os.environ.get("DEMO_BREAK", ""), clock)
    except (ChildDiedError, TimeoutError) as error:
        screen.say(f"missing: {error}", "red")
        return 1
    except KeyboardInterrupt:
        shutil.rmtree(unfinished, ignore_errors=True)
        screen.say("stopped", "yellow")
        return 130
    _replace(output, unfinished)
    if picture := os.environ.get("DEMO_SVG"):
        screen.picture(Path(picture), findings, output)
    screen.close(findings, output)
    return 1 if findings.missing else 0


def _run(screen: Screen, output: Path, broken: str, clock: Clock) -> Findings:
    shop = {
        "CLOUDQ_BROKER_URL": "sqs://",
        "CLOUDQ_CREATE_QUEUES": "false",  # they are the template's
        "CLOUDQ_RESULT_BACKEND": f"sqlite:///{output / 'results.db'}",
        "SHOP_FOLDER": str(output),
    }
    with SmtpSink(output / "inbox") as inbox, Children(output / "logs") as children:
        cloud, environ = clouds.start(children, clock)
        screen.say(f"cloudq emulate is up at {cloud.endpoint}, template.yaml deployed: {_deployed(cloud)}")
        shop |= {"SHOP_SMTP": inbox.address}
        cloud.configure_functions(shop)
        # Switched on when all is sent: until then every queue's own count of messages can be read.
        cloud.switch_mappings(on=False)
        os.environ.update(environ | shop)
        work = all_work()
        sent = publish(work)
        published = {queue: cloud.depth(queue).waiting for queue in QUEUES}
        screen.say(f"{sum(published.values())} messages wait in {len(published)} queues")
        call_here()
        if broken != "worker":
            children.start("worker", ["worker", "-A", "examples.shop.tasks", "-c", "2"])
            screen.say("cloudq worker -A examples.shop.tasks -c 2 takes proofs, reports and emails")
        if broken != "lambda":
            cloud.switch_mappings(on=True)
            screen.say("the event source mapping is on: images go to Lambda")
        with screen:
            screen.expect(published)
            watch(cloud, sent, clock, show=screen.progress, check=children.check)
        screen.say("reading everything back: queues, results, files, inbox, dead letters")
        findings = audit(cloud, sent, published, output=output, inbox=inbox)
        (output / "logs" / "lambda.log").write_text(cloud.function_log(), encoding="utf-8")
        write_page(output, findings, inbox)
    return findings


def _replace(output: Path, unfinished: Path) -> None:
    """Put a run's files in the place of what an earlier run made, and of nothing else.

    The folder may be anybody's.
    """
    for name in MADE:
        shutil.rmtree(output / name, ignore_errors=True)
    for file in (output / "index.html", *output.glob("results.db*")):
        file.unlink(missing_ok=True)
    for made in unfinished.iterdir():
        made.replace(output / made.name)
    unfinished.rmdir()


def _forget_others() -> None:
    for name in [name for name in os.environ if name.startswith(NOT_OURS)]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1"


def _deployed(cloud: clouds.Cloud) -> str:
    return f"{len(QUEUES)} queues and the function {', '.join(cloud.functions())}"


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
