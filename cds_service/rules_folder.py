"""Know where the rule files lie: the one place that does."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def rules_folder() -> Path:
    """Give the folder that holds `trials/`, `valuesets/` and `facts.yaml`.

    A folder named in `CDS_RULES` wins; then `rules/` beside the package, as in a checkout; then the copy that
    the wheel installs inside the package. The folder is not opened here: whoever loads it says what is wrong.
    """
    named = os.environ.get("CDS_RULES", "").strip()
    if named:
        return Path(named).expanduser().resolve()
    checkout = _PACKAGE.parent / "rules"
    # In site-packages a stranger's `rules` could lie beside us: only a folder that holds trials is ours.
    if (checkout / "trials").is_dir():
        return checkout
    return _PACKAGE / "_rules"
