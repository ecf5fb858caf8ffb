"""The operator's log: one line an event, as text for people or as JSON for machines."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from qwen_operator.settings import Settings

PACKAGE = "qwen_operator"
FIELDS = "fields"
"""The attribute of a record that holds what a machine wants to read: name → value."""


class JsonLines(logging.Formatter):
    """One JSON object a line; a record's own fields stand beside the usual ones."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(settings: Settings, out: TextIO = sys.stdout) -> None:
    """Log as the settings say; debug is about this package alone, a line a pass."""
    handler = logging.StreamHandler(out)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if settings.log_format == "json" else plain)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger(PACKAGE).setLevel(level)
    # kopf tells of every event that it sees; the pass that follows says what matters.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # That it runs beside the main thread is our doing; signals are ours too.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
