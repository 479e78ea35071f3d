"""Requests to SQS without boto3: several times as many a second, and nothing to import in a cold start.

| module | what it does |
|---|---|
| `transport` | the `Transport`: one call, repeated where that makes sense |
| `signing` | Signature Version 4, with the day's key kept |
| `connections` | kept-alive connections, shared by threads |
| `retries` | botocore's standard rules: what is tried again, when, and how often in all |
| `credentials` | whose name requests are signed in, and how that is renewed |
| `places` | where SQS is, and whether it is reached in a way that is boto3's business |
| `answers` | what SQS answered, read |
"""
