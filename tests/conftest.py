import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# no test asserts a time: a busy machine is no failure
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# what the user's ~/.keras/keras.json says is another project's; nothing is told to anybody
os.environ.setdefault("KERAS_HOME", f"{tempfile.gettempdir()}/keras-{os.getuid()}")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real files of several corpora, beside the checkout; not part of the project."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no folder ../shared/data with real corpus files beside the checkout")
    return folder
