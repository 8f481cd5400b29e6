"""The command `faces` itself: its verbs, types of arguments, tables and progress bars. Knows no verb."""
