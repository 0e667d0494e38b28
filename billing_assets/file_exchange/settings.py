"""The settings of a folder, here or on an SFTP server, for the sections of rooms that exchange files by one."""

from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, SecretStr, model_validator

from billing_assets.foundation.sections import Section


class SftpFolderSettings(Section):
    """A folder on an SFTP server. Without a host there is none."""

    host: str | None = Field(None, description="SFTP server to which files are delivered; default: none")
    port: int = Field(22, ge=1, le=65535, description="Its port")
    user: str | None = Field(None, description="Login: user")
    key_file: Path | None = Field(
        None, description="Login: file of the private key, without a passphrase and readable by its owner only"
    )
    password: SecretStr | None = Field(None, description="Login: password, where the server takes no key")
    host_key: str | None = Field(
        None,
        description="Fingerprint of the server's host key, as its owner gives it: SHA256:…; several (while it changes) "
        "separated by spaces",
    )
    folder: str = Field(
        ".", description="Folder there; the login must be allowed to list and read it and to write and rename in it"
    )
    timeout_seconds: PositiveFloat = Field(30, description="How long we wait for one answer")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What a delivery needs is there, and the host key is pinned."""
        if self.host is None:
            return self
        missing = [name for name in ("user", "host_key") if not getattr(self, name)]
        if missing or not (self.key_file or self.password):
            missing += [] if self.key_file or self.password else ["key_file or password"]
            raise ValueError(f"host is set, and {', '.join(missing)} is not; set it, too")
        if strange := [one for one in self.host_keys if not one.startswith("SHA256:")]:
            raise ValueError(f"host_key: {strange[0]!r} is no fingerprint; one begins with SHA256:")
        return self

    @property
    def host_keys(self) -> tuple[str, ...]:
        """The fingerprints of which the server must show one."""
        return tuple((self.host_key or "").split())


class FolderSettings(SftpFolderSettings):
    """A folder on this machine (`path`) or on an SFTP server (`host`): one of the two."""

    path: Path | None = Field(None, description="Folder on this machine; or else `host` names an SFTP server")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.path is None) == (self.host is None):
            raise ValueError("name either a path on this machine or the host of an SFTP server")
        return self
