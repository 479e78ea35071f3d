"""What import-linter's contracts can't say: a list of what is allowed, so that a new module is not."""

from __future__ import annotations

import grimp

EMULATOR_MAY_IMPORT = {"cloudq", "cloudq.clock", "cloudq.errors"}


def test_the_emulator_shares_nothing_with_what_it_is_the_test_double_of_but_time_and_errors():
    graph = grimp.build_graph("cloudq", "cloudq_emulator", "cloudq_infra")

    imported = {
        target
        for module in graph.find_descendants("cloudq_emulator")
        for target in graph.find_modules_directly_imported_by(module)
        if target.split(".")[0] in ("cloudq", "cloudq_infra")
    }

    assert imported <= EMULATOR_MAY_IMPORT
