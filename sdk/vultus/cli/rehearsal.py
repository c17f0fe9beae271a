"""A store in which attempts neither count nor lock, for decisions that nobody acts on."""

from __future__ import annotations

from typing import NoReturn

from vultus.errors import StoreError
from vultus.guard import Device
from vultus.store import AttemptState, Template, TemplateStore


class Rehearsal(TemplateStore):
    """The enrolled users of a store, without its attempts; it writes nothing."""

    def failures(self, user: str | None) -> AttemptState:
        """Return no attempts; raises NotEnrolled like the store itself."""
        super().failures(user)
        return AttemptState()

    def record_failure(self, user: str | None, now_ns: int, *, spoof: bool = False) -> AttemptState:
        """Count nothing."""
        del now_ns, spoof
        return self.failures(user)

    def clear_failures(self, user: str | None) -> None:
        """Clear nothing."""
        del user

    def guard(self, device: Device, *, drop: bool = False) -> None:
        """Remember nothing."""
        del device, drop

    def add(self, template: Template, *, replace: bool = False) -> NoReturn:
        """Refuse."""
        del template, replace
        raise StoreError("this store is open for looking only: open it with TemplateStore to change it")

    def remove(self, user: str) -> NoReturn:
        """Refuse."""
        del user
        raise StoreError("this store is open for looking only: open it with TemplateStore to change it")
