"""The server process behind `manage.py serve`: Daphne, with an end that drops nobody and bodies that have a limit."""
