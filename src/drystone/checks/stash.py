"""What the plugin keeps with pytest's own objects. Imports nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drystone.checks.claims import ClaimLog
    from drystone.checks.outcome import Session

#: On a test: the claims it makes, once it has used a fixture of ours.
LOG: pytest.StashKey[ClaimLog] = pytest.StashKey()
#: On the configuration: what `drystone test` asks for; absent under plain pytest.
SESSION: pytest.StashKey[Session] = pytest.StashKey()
