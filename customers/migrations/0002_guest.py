from django.db import migrations


def add_guest(apps, schema_editor):
    apps.get_model("customers", "Customer").objects.using(schema_editor.connection.alias).get_or_create(
        pk="guest", defaults={"name": "Guest"}
    )


class Migration(migrations.Migration):
    """The guest, who stands for everybody who is not registered."""

    dependencies = [("customers", "0001_initial")]

    operations = [migrations.RunPython(add_guest, migrations.RunPython.noop)]
