"""host/secret_file.py: who may read it. What stands in it: test_schedule_ical.py and test_meters_elsewhere.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from powernap.host.secret_file import SecretError, read


def test_a_credential_of_the_service_may_be_read_by_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systemd lets the service's user read it by an access list, whose mask stands in the group's bits. Any other file is refused, also beside it."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for path in (credentials / "calendar", tmp_path / "calendar"):
        path.write_text("password = geheim\n")
        path.chmod(0o440)
        with pytest.raises(SecretError, match="can be read by others"):
            read(str(path), ("password",))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert {"password": "geheim"} == read(str(credentials / "calendar"), ("password",))
    for path in (tmp_path / "calendar", credentials / ".." / "calendar"):
        with pytest.raises(SecretError, match="can be read by others"):
            read(str(path), ("password",))
