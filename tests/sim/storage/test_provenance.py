"""Provenance names the commit of this source tree, whatever the environment says of git."""

from sim.storage import provenance


def test_variables_of_git_change_nothing(monkeypatch, tmp_path):
    commit = provenance.commit()
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path))
    assert provenance.commit() == commit
