"""The scripts of the error corpus raise: none is a test, whatever its name."""

collect_ignore_glob = ["errors/*"]
