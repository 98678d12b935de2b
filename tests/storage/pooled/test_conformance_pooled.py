"""Every promise of a store holds through a pooler in transaction mode (fixture `store` of this folder)."""

from tests.storage.test_conformance_ranking import *  # noqa: F403
from tests.storage.test_conformance_search import *  # noqa: F403
from tests.storage.test_conformance_spelling import *  # noqa: F403
from tests.storage.test_conformance_statistics import *  # noqa: F403
from tests.storage.test_conformance_transactions import *  # noqa: F403
from tests.storage.test_conformance_versions import *  # noqa: F403
