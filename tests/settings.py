"""Settings of the test suite: the product's own, on private data and cheap passwords."""

import atexit
import os
import shutil
import tempfile

_data_dir = tempfile.mkdtemp(prefix="detectviz-test-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
os.environ.setdefault("DETECTVIZ_DATA_DIR", _data_dir)  # noqa: TID251 - set before it is read

from detectviz.settings import *  # noqa: E402, F403 - the product's settings, then our changes

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
EXTERNAL_URL = "http://testserver"
WHITENOISE_AUTOREFRESH = True  # nothing is collected for tests
