"""Instructions that one operation takes, counted by callgrind: a figure that a busy machine can't blur."""
