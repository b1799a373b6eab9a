from django.db import migrations

NAME = "customer_by_metadata"


def add(apps, schema_editor):
    """Index metadata on PostgreSQL, while others go on writing; SQLite has no index of this kind."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        # What an interrupted attempt left behind would never be used.
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        cursor.execute(
            f"CREATE INDEX CONCURRENTLY {NAME} ON customers_customer USING gin (metadata jsonb_path_ops)"
        )


def remove(apps, schema_editor):
    """Undo it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")


class Migration(migrations.Migration):
    # An index is made beside others' writing outside of a transaction only.
    atomic = False

    dependencies = [("customers", "0011_metadata_catalogue")]

    operations = [migrations.RunPython(add, remove, elidable=False)]
