"""`import cloudq` is light, and its names are what they seem."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import cloudq

MOST_STANDARD_MODULES = 60
"""Beyond what a bare interpreter loads. Whoever raises it has looked at `python -X importtime`."""

MOST_PUBLIC_NAMES = 25

SIGNALS_AND_ERRORS = {
    "ArgumentError", "BackendError", "BrokerError", "CloudqError", "ConfigurationError", "Ignore", "Reject",
    "ResultError", "ResultTimeoutError", "Retry", "SoftTimeLimitError", "TaskError", "TaskFailedError",
}  # fmt: skip

KINDS = {
    **dict.fromkeys(SIGNALS_AND_ERRORS, "exception"),
    **dict.fromkeys(["App", "AsyncResult", "GroupResult", "Queue"], "class"),
    "exponential": "function",
    "lambda_handler": "module",
    "task": "method",
}

LOOK = """
import json, pkgutil, sys, types
import cloudq
for module in pkgutil.walk_packages(cloudq.__path__, "cloudq."):
    if not module.name.endswith("__main__"):
        try:
            __import__(module.name)
        except ImportError as error:
            if (error.name or "").partition(".")[0] == "cloudq":
                raise
def kind(value):
    if isinstance(value, type):
        return "exception" if issubclass(value, BaseException) else "class"
    return type(value).__name__
print(json.dumps({name: kind(getattr(cloudq, name)) for name in cloudq.__all__}))
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def loaded(code: str) -> set[str]:
    return set(run(f"import sys; {code}; print('\\n'.join(sys.modules))").split())


def test_import_loads_no_third_party_module_and_few_of_the_standard_library():
    extra = loaded("import cloudq") - loaded("pass")
    tops = {name.partition(".")[0] for name in extra}

    assert tops - sys.stdlib_module_names == {"cloudq"}
    assert {name for name in extra if name.startswith("cloudq")} == {"cloudq"}
    assert len([name for name in extra if not name.startswith("cloudq")]) <= MOST_STANDARD_MODULES


def test_an_app_with_a_task_of_everyday_types_loads_no_third_party_module():
    code = (
        "import cloudq; cloudq.App('x', broker='memory://', environ={}).task(name='f')(int.__add__.__class__)"
    )
    extra = loaded(code.replace("int.__add__.__class__", "lambda: None")) - loaded("pass")

    assert {name.partition(".")[0] for name in extra} - sys.stdlib_module_names == {"cloudq"}


def test_public_names_are_what_they_are_whatever_has_been_imported():
    assert json.loads(run(LOOK)) == KINDS


def test_public_names_are_few_and_sorted_and_one_alone_is_a_module():
    modules = {module.name for module in pkgutil.iter_modules(cloudq.__path__)}

    assert cloudq.__all__ == sorted(cloudq.__all__)
    assert len(cloudq.__all__) <= MOST_PUBLIC_NAMES
    assert modules & set(cloudq.__all__) == {"lambda_handler"}
    assert set(dir(cloudq)) == {*cloudq.__all__, "__version__"}


def test_every_public_name_can_be_had_by_a_star():
    assert set(run("from cloudq import *; print(*[n for n in dir() if n[0] != '_'])").split()) == set(
        cloudq.__all__
    )


def test_name_that_there_is_not_is_an_attribute_error():
    assert run("import cloudq; print(hasattr(cloudq, 'nothing'))").strip() == "False"
