"""The subcommands of `manage.py segment`, and how they print: as tables for people, or as JSON."""
