"""What the commands of all rooms share: a prepared database, the terminal, tables, and the words that people give."""
