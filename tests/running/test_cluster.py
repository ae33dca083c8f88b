"""What must be true of a Ray cluster: the same scores as here, also where a node goes away; stops that lose nothing."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import needs
import pandas as pd
import pytest
from processes import SILENT, recorded, start, wait_until
from tiny import without_times

ray = needs.package("ray", "cluster")


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    """Two nodes on this machine, each with one core; the first is the head."""
    from ray.cluster_utils import Cluster

    # Neither what scales it nor what gathers its logs is asked anything here.
    node = {"num_cpus": 1, "object_store_memory": 10**8, "include_dashboard": False}
    head = {**node, "no_monitor": True, "include_log_monitor": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        nodes = Cluster(initialize_head=True, head_node_args=head)
        nodes.add_node(**node)
        nodes.wait_for_nodes()
    yield nodes
    nodes.shutdown()


def on(cluster: object) -> tuple[str, ...]:
    return "--executor", "ray", "--address", cluster.address


def rows(table: Path) -> int:
    return len(pd.read_csv(table)) if table.exists() else 0


def test_a_stop_saves_what_runs_there_and_it_goes_on_here(cluster, run_cli, tiny_search, tmp_path):
    arguments = tiny_search(tmp_path, trials=1, measures=[], steps=800, proxy_steps=20, validate_every=400)
    said = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    with start([*arguments, *on(cluster)], **said) as driver:
        wait_until(lambda: recorded(tmp_path / "tiny" / "study.db") >= 2)  # the proxies
        time.sleep(0.5)
        driver.send_signal(signal.SIGTERM)
        answer = driver.stderr.read()
    assert driver.returncode == 128 + signal.SIGTERM
    assert answer.endswith("randsearch: stopped; the same command continues where it stood.\n")
    assert "Traceback" not in answer
    assert len([*tmp_path.rglob("trained-0/checkpoint.safetensors")]) == 1
    assert run_cli(*arguments).code == 0
    assert not [*tmp_path.rglob("checkpoint.*")]


def test_a_node_that_goes_away_in_mid_search_changes_no_score(cluster, run_cli, tiny_search, tmp_path):
    options = {"trials": 4, "steps": 60, "proxy_steps": 60, "validate_every": 20}
    table = tmp_path / "cluster" / "tiny" / "measurements.csv"
    removed = threading.Event()

    def remove_node() -> None:
        while rows(table) < 3:
            time.sleep(0.05)
        other = next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)
        cluster.remove_node(other, allow_graceful=False)
        removed.set()

    thread = threading.Thread(target=remove_node, daemon=True)
    thread.start()
    answer = run_cli(*tiny_search(tmp_path / "cluster", **options), *on(cluster))
    thread.join(timeout=60)
    assert (answer.code, removed.is_set()) == (0, True), answer.err
    assert run_cli(*tiny_search(tmp_path / "here", **options), "--workers", 1).code == 0
    pd.testing.assert_frame_equal(
        without_times(table), without_times(tmp_path / "here" / "tiny" / "measurements.csv"), check_like=True
    )


@pytest.mark.long
def test_a_driver_that_is_killed_goes_on_elsewhere_and_its_jobs_write_nothing_more(
    cluster, run_cli, tiny_search, tmp_path, monkeypatch
):
    options = {"trials": 4, "steps": 400, "proxy_steps": 100, "validate_every": 50}
    arguments, database = tiny_search(tmp_path / "cluster", **options), tmp_path / "cluster" / "tiny" / "study.db"
    with start([*arguments, *on(cluster)], **SILENT) as driver:
        wait_until(lambda: recorded(database) >= 5)
        driver.kill()
    made = recorded(database)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    time.sleep(3)  # what ran for it has ended by now
    assert recorded(database) == made
    assert run_cli(*arguments, *on(cluster)).code == 0
    assert run_cli(*tiny_search(tmp_path / "here", **options), "--workers", 1).code == 0
    tables = [without_times(tmp_path / each / "tiny" / "measurements.csv") for each in ("cluster", "here")]
    pd.testing.assert_frame_equal(*tables, check_like=True)
    assert not [*tmp_path.rglob("checkpoint.*")]
    assert not [*(tmp_path / "elsewhere").iterdir()]


def test_a_cluster_that_is_not_there(run_cli, tiny_search, tmp_path):
    answer = run_cli(*tiny_search(tmp_path), "--executor", "ray", "--address", "127.0.0.1:1")
    assert answer.code == 1
    assert answer.err.startswith("randsearch: no Ray cluster answers at 127.0.0.1:1")
    assert answer.err.count("\n") == 1
