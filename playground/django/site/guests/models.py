from django.db import models


class Guest(models.Model):
    name = models.CharField(max_length=80)
    words = models.CharField(max_length=200)
    signed = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ['-id']

    def __str__(self):
        return self.name
