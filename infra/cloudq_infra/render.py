"""A template as text, the same text for the same app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH: Final = 110

_HEADER: Final = "# Written by `cloudq infra template` from {app}: change the app and write it anew.\n"


def render(template: Mapping[str, Any]) -> str:
    """The template as YAML."""
    import yaml

    from cloudq_infra.intrinsics import Dumper

    text = yaml.dump(dict(template), Dumper=Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    return _HEADER.format(app=template["Metadata"]["Cloudq"]["App"]) + text
