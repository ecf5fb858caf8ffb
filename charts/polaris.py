"""What Polaris itself finds, of what nobody has a reason for: `python -m charts.polaris PROGRAM`.

No module proxy has Polaris, so no test can build it; who has the program runs this by hand. Each
golden file is audited by itself, since Polaris looks for what stands beside an object.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import yaml

from charts import rules


def _failed(checks: rules.Json) -> Iterator[str]:
    return (name for name, each in checks.items() if not each["Success"])


def _told(audit: rules.Json) -> Iterator[tuple[str, str]]:
    """Kind and name of an object, and a check that it fails."""
    for each in audit["Results"] or ():
        pod = each.get("PodResult") or {}
        parts = [each, pod, *(pod.get("ContainerResults") or ())]
        where = f"{each['Kind']}/{each['Name']}"
        yield from ((where, name) for part in parts for name in _failed(part.get("Results") or {}))


def _audit(program: str, bodies: list[rules.Json]) -> rules.Json:
    with tempfile.TemporaryDirectory() as folder:
        for at, body in enumerate(bodies):
            Path(folder, f"{at}.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
        command = [program, "audit", "--audit-path", folder, "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: rules.Json = json.loads(done.stdout)
    return found


def main(arguments: list[str]) -> int:
    """Print what has no excuse; the exit status is 0 when there is none."""
    (program,) = arguments
    seen: set[str] = set()
    complaints = []
    files = 0
    for path, pairs in groupby(rules.with_files(), key=lambda pair: pair[0]):
        bodies = [body for _, body in pairs if rules.is_whole(body)]
        names = (f"{each['kind']}/{each['metadata']['name']}" for each in bodies)
        owners = dict(zip(names, map(rules.owner, bodies), strict=True))
        files += 1
        for where, check in _told(_audit(program, bodies)):
            seen.add(check)
            if rules.has_no_reason(rules.Finding(check, owners[where], where)):
                complaints.append(f"{check} {path.parent.name}/{path.name} {where}\n")
    sys.stdout.writelines(complaints)
    sys.stdout.write(f"{files} files; checks that found something: {', '.join(sorted(seen))}\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
