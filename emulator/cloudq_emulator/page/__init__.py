"""The page at ``/_cloudq/``: what is there, live, and buttons for what one does to it by hand.

| module | what it holds |
|---|---|
| `site` | which path shows or does what |
| `overview`, `one_queue` | the two views |
| `functions` | Lambda functions and their last log lines, as moto has them |
| `html` | elements and the frame around a view |

It is rendered here and works without its script, which fetches it again once a second and puts in place
what is live.
"""
