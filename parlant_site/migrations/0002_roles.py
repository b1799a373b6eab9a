from django.db import migrations

NAMES = ["Viewer", "Operator", "Lead", "Segment editor", "Data steward", "Privacy officer", "Admin"]


def add_groups(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for name in NAMES:
        groups.get_or_create(name=name)


class Migration(migrations.Migration):
    """The roles as groups; parlant_site/roles.py grants their permissions once Django has made these."""

    dependencies = [
        ("parlant_site", "0001_audit"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(add_groups, migrations.RunPython.noop)]
