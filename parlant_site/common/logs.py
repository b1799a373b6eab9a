"""What is worth a line in the log."""

import logging


class NotAQuietPoll(logging.Filter):
    """Leave out the 504 with which a long poll ends when nothing came: Django would log each as an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Answer whether the record is worth a line."""
        return not (record.name == "django.request" and getattr(record, "status_code", None) == 504)
