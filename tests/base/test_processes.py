"""What must be true of how processes start: they do not run the program again that starts them."""

from __future__ import annotations

import sys
from multiprocessing.process import BaseProcess
from multiprocessing.spawn import get_preparation_data

import pytest

from randsearch.base.processes import Spawned, Spawning


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("named", [{"__file__": "/mine/script.py"}, {"__spec__": sys.__spec__}, {}])
def test_what_starts_them_is_not_told_where_it_lies_and_is_whole_again(monkeypatch, named, fails):
    main = type(sys)("__main__")
    vars(main).update(named)
    monkeypatch.setitem(sys.modules, "__main__", main)
    told = []

    def start(_):
        told.append(get_preparation_data("worker"))
        if fails:
            raise OSError("no more processes")

    before = dict(vars(main))
    told.append(get_preparation_data("worker"))
    monkeypatch.setattr(BaseProcess, "start", start)
    try:
        Spawning().Process(target=print).start()
    except OSError:
        assert fails
    assert vars(main) == before
    mains = [{key: value for key, value in each.items() if key.startswith("init_main")} for each in told]
    assert mains[1] == {}
    assert bool(mains[0]) == ("__file__" in named or named.get("__spec__") is not None)


def test_the_executors_start_theirs_so():
    from randsearch.running.executors import _Context

    assert issubclass(_Context.Process, Spawned)
