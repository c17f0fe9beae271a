"""Verify one frame set in an application: open once, decide often, act on the outcome, log what may be logged.

python examples/verify_in_an_app.py DEVICE_URL USER STORE
"""

from __future__ import annotations

import json
import sys

import vultus


def unlock(auth: vultus.Authenticator, frame_set: vultus.FrameSet, user: str) -> bool:
    """Decide on one frame set and say whether to unlock; three outcomes, and only one of them opens."""
    decision = auth.verify(frame_set, user=user)
    print(json.dumps(decision.public()))  # without scores: an attacker who reads the log must not be able to climb them
    match decision.outcome:
        case vultus.Outcome.ACCEPT:
            return True
        case vultus.Outcome.UNDECIDED:
            print("try again:", ", ".join(decision.hints) or decision.reason.value, file=sys.stderr)
            return False
        case vultus.Outcome.REJECT:
            print("refused:", decision.reason.value, file=sys.stderr)
            return False


def main(url: str, user: str, store_path: str) -> int:
    """Unlock for `user` with the next frame set of a device; exit status 0 for unlocked, 1 for not."""
    # Say every source that you believe. A recording or a simulator is refused unless it is named here.
    policy = vultus.Policy(target_fmr=1e-4, sources={vultus.Source.LIVE, vultus.Source.SIMULATED})
    with (
        vultus.TemplateStore.open(store_path, create=False) as store,
        vultus.Authenticator(store=store, policy=policy) as auth,
        vultus.open_device(url) as camera,
    ):
        frame_set = camera.read()
        return 0 if frame_set is not None and unlock(auth, frame_set, user) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
