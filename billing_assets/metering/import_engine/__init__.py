"""Files in: taken, stored raw, read. `messages.py` has what every reader makes; a reader knows no database."""
