"""An index over when events were appended, for those who look for sessions with new events.

Events are inserted in the order of their time, so a block range index finds the recent ones at nearly no cost. SQLite has
none and needs none: there, ids sort by time.
"""

from django.db import migrations

NAME = "event_by_creation_brin"


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            f"CREATE INDEX {NAME} ON sessions_app_event USING brin (creation_utc)"
            " WITH (pages_per_range = 16, autosummarize = on)"
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX {NAME}")


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0002_permissions")]
    operations = [migrations.RunPython(create, drop)]
