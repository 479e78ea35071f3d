"""SQS, our own: a pure queue engine behind both of SQS's protocols."""
