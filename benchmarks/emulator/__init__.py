"""The emulator's SQS beside moto_server's and beside a bare HTTP server."""
