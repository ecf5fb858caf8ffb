"""Whether what exists is what is wanted, looked at once for each state of it."""

from collections.abc import Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.desired.drift import holds
from qwen_operator.observe.slimming import condensed, unpacked

Json = dict[str, Any]

_MOST = 16384


def applied_hash(body: Mapping[str, Any]) -> str | None:
    """Digest of the manifest that an object was last applied with; None if it tells of none."""
    annotations: Mapping[str, str] = body["metadata"].get("annotations") or {}
    return annotations.get(naming.APPLIED_HASH_ANNOTATION)


class Agreement:
    """Remembers which specifications were found to hold what is wanted."""

    def __init__(self) -> None:
        self._agreed: dict[str, tuple[str, str | None]] = {}

    def holds(self, known: Json | None, manifest: Json) -> bool:
        """Whether an object is there and holds a manifest; its metadata is looked at always."""
        if known is None:
            return False
        metadata = known["metadata"]
        uid = metadata.get("uid", "")
        # A generation is one specification; kinds that have none tell by their version.
        which = str(metadata.get("generation") or metadata.get("resourceVersion", ""))
        state = (which, applied_hash(manifest))
        if self._agreed.get(uid) == state:
            return holds(metadata, manifest["metadata"])
        if not holds(unpacked(known), condensed(manifest)):
            return False
        if len(self._agreed) >= _MOST:
            self._agreed.clear()
        self._agreed[uid] = state
        return True
