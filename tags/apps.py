from django.apps import AppConfig


class TagsConfig(AppConfig):
    """Tags."""

    name = "tags"
