"""Infrastructure from the registry: an app's queues and functions as a SAM template.

| module | what it does |
|---|---|
| `model` | what an app needs on AWS, as values. Pure |
| `template` | those values as a template |
| `render` | the template as text |
| `check` | whether a file is what would be written now |
| `cli` | `cloudq infra` |
"""
