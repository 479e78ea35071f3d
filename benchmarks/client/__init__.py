"""Requests to SQS of one process: the lean transport beside boto3."""
