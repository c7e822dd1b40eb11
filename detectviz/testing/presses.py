"""The conformance suite of notifiers whose buttons act (``contracts.presses.TakesPresses``)."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, cast

import pytest

from detectviz.contracts.presses import (
    OLDEST,
    Received,
    SignatureError,
    TakesPresses,
    UnreadableError,
)
from detectviz.contracts.types import PluginKind
from detectviz.testing.notifiers import NOW
from detectviz.testing.plugins import built_in_plugins

VALUE = "acknowledge:dlv_01"


class PressSuite:
    """What such a notifier must do. Set ``name``, ``KEY``, ``by`` and ``make_press``.

    ``lifetime`` is how long a request is good, None where the service tells no time. Without
    ``covers_body`` the key is a password beside the body and vouches for whatever it says.
    """

    name: ClassVar[str]
    KEY: ClassVar[str] = "8f742231b10e8888abcd99yyyzzz85a5"
    OTHER_KEY: ClassVar[str] = "another"
    by: ClassVar[str] = "ann"
    lifetime: ClassVar[timedelta | None] = OLDEST
    covers_body: ClassVar[bool] = True

    def make_press(self, value: str) -> Received:
        """Return the request of the service when ``by`` presses a button of this value at NOW."""
        raise NotImplementedError

    @pytest.fixture
    def plugin(self) -> TakesPresses:
        """Return the plugin, loaded as the host loads it."""
        return cast("TakesPresses", built_in_plugins().load(PluginKind.NOTIFIER, self.name))

    def test_a_genuine_press_is_read_and_answered_in_the_services_words(
        self, plugin: TakesPresses
    ) -> None:
        pressed = plugin.read_press(self.make_press(VALUE), key=self.KEY, now=NOW)
        assert (pressed.value, pressed.by, pressed.is_ping) == (VALUE, self.by, False)
        assert pressed.nonce
        answer = json.dumps(plugin.answer_press(pressed, said="Acknowledged: 1 of 1."))
        assert "Acknowledged: 1 of 1." in answer

    def test_nothing_is_taken_without_the_key(self, plugin: TakesPresses) -> None:
        for key in ("", self.OTHER_KEY):
            with pytest.raises(SignatureError):
                plugin.read_press(self.make_press(VALUE), key=key, now=NOW)

    def test_a_forged_request_is_refused(self, plugin: TakesPresses) -> None:
        genuine = self.make_press(VALUE)
        forged = [
            Received(body=b"{}", headers={}),
            Received(body=b"[]", headers=genuine.headers),
            Received(body=b"", headers=genuine.headers),
        ]
        if self.covers_body:
            for place in range(len(genuine.body) // 2, len(genuine.body), 16):
                changed = bytearray(genuine.body)
                changed[place] ^= 1
                forged.append(replace(genuine, body=bytes(changed)))
        known = plugin.read_press(genuine, key=self.KEY, now=NOW)
        for request in forged:
            try:
                found = plugin.read_press(request, key=self.KEY, now=NOW)
            except (SignatureError, UnreadableError):
                continue
            # Only what says the same by other bytes may pass.
            assert (self.covers_body, found.value) == (True, known.value)

    def test_an_old_press_is_refused(self, plugin: TakesPresses) -> None:
        if self.lifetime is None:
            return
        later = NOW + self.lifetime + timedelta(seconds=1)
        plugin.read_press(self.make_press(VALUE), key=self.KEY, now=NOW + self.lifetime)
        with pytest.raises(SignatureError, match="too old"):
            plugin.read_press(self.make_press(VALUE), key=self.KEY, now=later)
