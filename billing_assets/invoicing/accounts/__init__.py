"""Who is billed, by what agreement, in which group and when."""
