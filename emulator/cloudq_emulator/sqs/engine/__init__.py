"""The queues themselves: pure, no I/O, time is a parameter, every operation O(log n) at any depth.

agenda.py      what is due when
message.py     a message and the states it goes through
attributes.py  message attributes: checks and digests
receipts.py    receipt handles
settings.py    a queue's attributes
ready.py       in which order a standard queue hands out
fair.py        in which order it does once messages have groups
fifo.py        in which order a FIFO queue hands out, and what it takes for a duplicate
attempts.py    receives that may be repeated
moves.py       message move tasks
redrive.py     redrive policies
queue.py       one queue
registry.py    all queues, by account, region and name
"""
