"""Permissions to see the catalogue of metadata keys, and to mark which hold personal data."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0014_problems_by_customer")]
    operations = [
        migrations.AlterModelOptions(
            name="metadatakey",
            options={"default_permissions": ("view", "change"), "ordering": ["-customers", "key"]},
        ),
    ]
