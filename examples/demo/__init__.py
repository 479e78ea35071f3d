"""The demo: real work through the shop's queues, on this machine alone, and every number read back.

__main__.py   what happens, in order
inputs.py     what is to be done, and what must come of it
cloud.py      the emulator, seen through boto3
processes.py  the processes that the demo starts
smtp_sink.py  a mail server that keeps what it gets, and is in no hurry about some of it
watching.py   progress, and when to give up
audit.py      what came of it: queues, results, files, inbox, dead letters
page.py       the HTML page
show.py       the terminal
"""
