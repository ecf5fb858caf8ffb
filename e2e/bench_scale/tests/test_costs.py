import os
import subprocess
import time
from pathlib import Path

from e2e.bench_scale.costs import REST, Costs
from e2e.cluster.layout import Layout


def test_work_is_counted_where_it_was_done(tmp_path: Path) -> None:
    layout = Layout(tmp_path, tmp_path)
    layout.pids.mkdir(parents=True)
    start = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (layout.pids / "etcd").write_text(f"{os.getpid()} {start} {boot}")
    (layout.pids / "gone.new").write_text("")
    with subprocess.Popen(("sleep", "60")) as idle:
        try:
            costs = Costs(layout, {"idle": idle.pid})
            until = time.process_time() + 0.2
            while time.process_time() < until:
                pass
            used = costs.since()
        finally:
            idle.kill()
    assert list(used) == ["etcd", "idle", REST]
    assert used["etcd"] >= 0.1
