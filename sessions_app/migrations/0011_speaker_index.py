"""An index over who said messages on the customers' side: an erasure looks for what she said in others' sessions."""

import sessions_app.speakers
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0010_scheduled_follow_ups")]
    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                sessions_app.speakers.Speaker("data"),
                condition=models.Q(("kind", "message"), ("source__in", ["customer", "customer_ui"])),
                name="event_by_speaker",
            ),
        ),
    ]
