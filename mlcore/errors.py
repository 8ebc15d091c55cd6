"""Every error the product raises on purpose, as one tree.

    OpenrangeError
    ├── UsageError          a wrong argument: unknown timeframe, target, model, version …
    ├── NameRefused         a symbol, slot or version name outside the allow-list
    ├── ConfigError         openrange.toml or an environment variable is wrong
    ├── BarsError           a file that is not bars, or bars that break the contract
    │   └── TooFewBars      not enough bars (or rows) for what was asked
    ├── SessionError        a local time that does not exist, or exists twice
    ├── StoreError          lake or hub.sqlite: damaged, locked, of another version
    │   └── HashMismatch    a stored file's bytes are not the bytes that were written
    ├── RegistryError       a version cannot be saved, loaded, promoted or rolled back
    │   └── CertificateMissing   registration without a leak certificate
    ├── LeakFound           the prover found an input that sees the future
    ├── LogError            the shadow log was asked for something it refuses
    └── JobError            a job failed, was cancelled, or is held by somebody else

A message says *rule – what was given – what to do*; `code` is stable and machine-readable;
`details` holds JSON-ready facts (file, row, needed, got …).
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BarsError",
    "CertificateMissing",
    "ConfigError",
    "HashMismatch",
    "JobError",
    "LeakFound",
    "LogError",
    "NameRefused",
    "OpenrangeError",
    "RegistryError",
    "SessionError",
    "StoreError",
    "TooFewBars",
    "UsageError",
]


class OpenrangeError(Exception):
    """Base of the tree; never raised itself."""

    default_code = "E_OPENRANGE"

    def __init__(
        self, message: str, *, code: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = dict(details or {})

    def as_dict(self) -> dict[str, Any]:
        """The JSON shape of a refusal: code, message, details."""
        return {"code": self.code, "message": self.message, "details": self.details}


class UsageError(OpenrangeError):
    """An argument outside what the function accepts."""

    default_code = "E_USAGE"


class NameRefused(OpenrangeError):
    """A name that is not on the allow-list of characters, or too long."""

    default_code = "E_NAME"


class ConfigError(OpenrangeError):
    """The configuration cannot be read or does not hold together."""

    default_code = "E_CONFIG"


class BarsError(OpenrangeError):
    """A file or frame that cannot become bars without guessing."""

    default_code = "E_BARS"


class TooFewBars(BarsError):
    """Fewer bars or rows than the request needs; details carry `needed` and `got`."""

    default_code = "E_BARS_TOO_FEW"


class SessionError(OpenrangeError):
    """A wall-clock time that does not exist in its zone, or exists twice."""

    default_code = "E_SESSION"


class StoreError(OpenrangeError):
    """The lake or hub.sqlite cannot be used as it is."""

    default_code = "E_STORE"


class HashMismatch(StoreError):
    """Bytes on disk differ from the bytes that were committed."""

    default_code = "E_STORE_HASH"


class RegistryError(OpenrangeError):
    """A version folder or a promotion that breaks a registry rule."""

    default_code = "E_REGISTRY"


class CertificateMissing(RegistryError):
    """A model without a valid leak certificate asked to be registered or promoted."""

    default_code = "E_REGISTRY_CERTIFICATE"


class LeakFound(OpenrangeError):
    """An input changed when only the future was changed."""

    default_code = "E_LEAK"


class LogError(OpenrangeError):
    """The shadow log refuses the row, or its chain does not verify."""

    default_code = "E_LOG"


class JobError(OpenrangeError):
    """A job failed, was cancelled, or another holder runs it."""

    default_code = "E_JOB"
