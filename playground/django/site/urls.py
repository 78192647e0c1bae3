from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import path

from guests import views

urlpatterns = [
    path('', views.sign, name='sign'),
    path('upload', views.upload, name='upload'),
    path('admin/', admin.site.urls),
    # The admin's own files, which a front server would serve for a real site.
    path('static/<path:path>', serve),
]
