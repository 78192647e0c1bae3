from django.contrib.staticfiles.storage import StaticFilesStorage
from django.urls import get_script_prefix


class MountedStorage(StaticFilesStorage):
    """Static files beneath wherever the site is mounted, which only the request says."""

    def url(self, name, force=False):
        return f'{get_script_prefix()}static/{name}'
