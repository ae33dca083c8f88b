"""What must be true of a Ray cluster: the same scores as here, also where a node goes away; stops that lose nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from tiny import without_times

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install '.[cluster]')")


@pytest.fixture
def cluster(monkeypatch) -> Iterator[object]:
    """Two nodes on this machine, each with one core; the first is the head."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    node = {"num_cpus": 1, "object_store_memory": 10**8, "include_dashboard": False}
    nodes = Cluster(initialize_head=True, head_node_args=node)
    nodes.add_node(**node)
    nodes.wait_for_nodes()
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def on(cluster: object) -> tuple[str, ...]:
    return "--executor", "ray", "--address", cluster.address


def rows(table: Path) -> int:
    return len(pd.read_csv(table)) if table.exists() else 0


def test_a_node_that_goes_away_in_mid_search_changes_no_score(cluster, run_cli, tiny_search, tmp_path):
    options = {"trials": 6, "steps": 60, "proxy_steps": 60, "validate_every": 20}
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


def test_a_cluster_that_is_not_there(run_cli, tiny_search, tmp_path):
    answer = run_cli(*tiny_search(tmp_path), "--executor", "ray", "--address", "127.0.0.1:1")
    assert answer.code == 1
    assert answer.err.startswith("randsearch: no Ray cluster answers at 127.0.0.1:1")
    assert answer.err.count("\n") == 1
