from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name='Guest',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('words', models.CharField(max_length=200)),
                ('signed', models.DateTimeField(auto_now_add=True)),
            ],
            options={'ordering': ['-id']},
        ),
    ]
