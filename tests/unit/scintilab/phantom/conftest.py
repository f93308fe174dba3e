"""Skips with a reason where the workshop's extra is not installed."""

import pytest

pytest.importorskip("torch", reason="the phantom needs torch: make lab")
