"""A child whose standard library cooperates: the main module of the pool gevent's children.

gevent patches before anything else is imported, in a process of its own: one that was forked from a patched
process, or patched after its fork, would share locks and an event loop with nobody.
"""

from __future__ import annotations

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()

    import sys

    from cloudq.worker.forkserver import main

    main(*sys.argv[1:])
