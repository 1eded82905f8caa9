"""These tests reach a public server: they are collected for `make sandbox-tests` alone, and skipped by nobody."""

import pytest
from sandboxes.chosen import chosen

try:
    collect_ignore = [] if chosen() else ["test_sandbox.py"]
except pytest.UsageError as wrong:
    pytest.exit(str(wrong), returncode=pytest.ExitCode.USAGE_ERROR)
