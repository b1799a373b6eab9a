import django.db.models.deletion
from django.db import DatabaseError, migrations, models, transaction

KEEP = """
CREATE FUNCTION customers_keep_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM customers_customertext WHERE customer_id = OLD.id;
    ELSE
        INSERT INTO customers_customertext (customer_id, text)
        VALUES (NEW.id, concat_ws(E'\\n', NEW.id, NEW.name, NEW.metadata))
        ON CONFLICT (customer_id) DO UPDATE SET text = EXCLUDED.text;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER customers_text_of_new AFTER INSERT OR DELETE ON customers_customer
    FOR EACH ROW EXECUTE FUNCTION customers_keep_text();
-- Not for messages: they change other columns of the customer, many times as often.
CREATE TRIGGER customers_text_of_changed AFTER UPDATE OF name, metadata ON customers_customer
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name OR OLD.metadata IS DISTINCT FROM NEW.metadata)
    EXECUTE FUNCTION customers_keep_text();
INSERT INTO customers_customertext (customer_id, text)
    SELECT id, concat_ws(E'\\n', id, name, metadata) FROM customers_customer;
"""
DROP = """
DROP TRIGGER customers_text_of_new ON customers_customer;
DROP TRIGGER customers_text_of_changed ON customers_customer;
DROP FUNCTION customers_keep_text();
"""
INDEX = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX customer_text_trigrams ON customers_customertext USING gin (upper(text) gin_trgm_ops);
"""


def keep_text(apps, schema_editor):
    """Keep the text by triggers, and index it where the server has, and this role may add, pg_trgm."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(KEEP)
        try:
            with transaction.atomic(using=schema_editor.connection.alias):
                cursor.execute(INDEX)
        except DatabaseError:
            pass  # searching works all the same, by reading every text


def leave_text(apps, schema_editor):
    """Undo it."""
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(DROP)


class Migration(migrations.Migration):
    """What a search looks at: kept by triggers on PostgreSQL; see customers/searching.py."""

    dependencies = [("customers", "0004_readable_metadata")]

    operations = [
        migrations.CreateModel(
            name="CustomerText",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="customers.customer",
                    ),
                ),
                ("text", models.TextField()),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunPython(keep_text, leave_text),
    ]
