"""Importing a user's app: when that fails, they see their own traceback and not ours."""

from __future__ import annotations

import difflib
import importlib.util
import pkgutil
import traceback
from pathlib import Path

from cloudq.app import App
from cloudq.errors import AppImportError, ConfigurationError
from cloudq.finding import load

__all__ = ["import_app", "user_traceback"]

_OURS = str(Path(__file__).parent)


def import_app(spec: str) -> App:
    """Import an app by `module` or `module:attribute`.

    Raises:
        ConfigurationError: There is no such module, or no app in it.
        AppImportError: The module's code raised something.
    """
    name = spec.partition(":")[0]
    if "/" in name or name.startswith("."):
        raise ConfigurationError(_path_given(name))
    try:
        return load(spec)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ConfigurationError(_missing(name, error.name)) from error
        raise _failed(name, error) from error
    except ConfigurationError as error:
        if not user_traceback(error):
            raise
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error


def user_traceback(error: BaseException) -> str:
    """An error's traceback without the frames of cloudq and of the import system; empty if none is left."""
    told = traceback.TracebackException.from_exception(error)
    seen: set[int] = set()
    todo = [told]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack = traceback.StackSummary.from_list([frame for frame in one.stack if not _is_ours(frame)])
        todo += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
    # A SyntaxError's place is told by the error itself: no frame of the user's ran.
    return "".join(told.format()) if told.stack or isinstance(error, SyntaxError) else ""


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith((_OURS, "<frozen importlib")) or "/importlib/" in frame.filename


def _failed(name: str, error: BaseException) -> AppImportError:
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return AppImportError(f"Importing {name!r} fails: {what}", user_traceback(error))


def _missing(name: str, missing: str) -> str:
    if name.endswith(".py"):
        return _path_given(name)
    near = difflib.get_close_matches(missing, _siblings(missing), n=1)
    hint = f"Did you mean {near[0]}?" if near else "Are you in the project's folder?"
    return f"There is no module {missing!r}, looked for in {Path.cwd()} and on sys.path. {hint}"


def _path_given(name: str) -> str:
    """What to say to a path in a module's place: the module's name, as seen from here or from its root."""
    stem = name.removesuffix(".py").strip("./").replace("/", ".")
    hint = f" Did you mean {stem}?" if stem else ""
    return f"{name!r} is a path; -A takes a module's name, as `import` does.{hint}"


def _siblings(missing: str) -> list[str]:
    """The modules that stand where a missing one was looked for."""
    parent = missing.rpartition(".")[0]
    if not parent:
        return [module.name for module in pkgutil.iter_modules([str(Path.cwd())])]
    spec = importlib.util.find_spec(parent)
    places = spec.submodule_search_locations if spec is not None else None
    return [f"{parent}.{module.name}" for module in pkgutil.iter_modules(places or [])]
