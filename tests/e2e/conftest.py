"""One installation and one PACS for all tests that only send to it."""

from collections.abc import Iterator

import pytest

from tests.pacs import Pacs
from tests.stack import CONFIGURATION, Stack, running_stack


@pytest.fixture(scope="session")
def pacs() -> Iterator[Pacs]:
    """A PACS that takes everything."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture(scope="session")
def stack(pacs: Pacs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation that may be sent to by PACS and sends back to it."""
    with running_stack(tmp_path_factory.mktemp("stack"), CONFIGURATION.format(port=pacs.port)) as stack:
        yield stack
