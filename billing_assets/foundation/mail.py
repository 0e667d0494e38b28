"""What every mail of ours has in common, to customers and to operations."""

QUIET = {
    "Auto-Submitted": "auto-generated",  # RFC 3834
    "Precedence": "bulk",  # for answering machines that are older than it
    "X-Auto-Response-Suppress": "OOF, AutoReply",  # Exchange; with All it would send no delivery report either
}
"""Headers that keep absence notes and other machines from answering."""
