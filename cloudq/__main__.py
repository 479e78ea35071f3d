"""`python -m cloudq` is `cloudq`."""

from cloudq.cli import main

main()
