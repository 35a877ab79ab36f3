"""What the tests of profiles share."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from openssl_pki import Pki, standard_pki
from profile_parts import Shelf

from devices.clock import Clock

sys.path.append(str(Path(__file__).parents[1] / "firmware"))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates made by OpenSSL's command."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    return standard_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def shelf(clock: Clock, pki: Pki) -> Shelf:
    """A store without profiles that trusts the root."""
    return Shelf(clock, pki)


@pytest.fixture
def full(clock: Clock, pki: Pki) -> Shelf:
    """A store with a profile of each kind."""
    return Shelf(clock, pki).filled()
