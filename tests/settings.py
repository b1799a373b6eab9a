"""Settings of the test run: the product's own, on a home and a database of the run's own.

PARLANT_TEST_DATABASE says what this process tests: all on `sqlite`, what depends on the database on `postgresql`, or
what is `live`. Without it tests/legs.py starts processes for the second and the third beside this one.
"""

import atexit
import os
import shutil
import tempfile

_home = tempfile.mkdtemp(prefix="parlant-test-")
_owner = os.getpid()
atexit.register(lambda: os.getpid() == _owner and shutil.rmtree(_home, ignore_errors=True))

for _name in [name for name in os.environ if name.startswith("PARLANT_") and not name.startswith("PARLANT_TEST_")]:
    del os.environ[_name]
os.environ["PARLANT_HOME"] = _home
if os.environ.get("PARLANT_TEST_DATABASE") == "postgresql":
    os.environ["PARLANT_DATABASE_URL"] = os.environ.get(
        "PARLANT_TEST_POSTGRESQL_URL", "postgres://postgres@127.0.0.1:5432/postgres"
    )

from parlant_site.settings import *  # noqa: E402, F403
from parlant_site.settings import DATABASES  # noqa: E402

if os.environ.get("PARLANT_TEST_DATABASE") == "postgresql":
    DATABASES["default"]["TEST"] = {"NAME": f"test_parlant_{os.getpid()}"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
