"""An index over the customers with whom jobs had problems, for their bundles and erasures."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0013_member_index")]
    operations = [
        migrations.AddIndex(model_name="jobproblem", index=models.Index(fields=["ref"], name="problem_by_customer")),
    ]
