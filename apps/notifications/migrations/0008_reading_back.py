from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0007_watchdogs'),
    ]

    operations = [
        migrations.AddField(
            model_name='delivery',
            name='external_id',
            field=models.CharField(blank=True, default='', max_length=500),
        ),
        migrations.AddField(
            model_name='watchdog',
            name='readings',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name='watchdog',
            name='proof',
            field=models.CharField(choices=[('delivered', 'The provider took it'), ('read_back', 'It was found again where it can be'), ('echo', 'The receiver called back')], max_length=12),
        ),
    ]
