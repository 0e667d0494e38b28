"""Who decided what, when, from where and why."""
