"""One odd answer through the real client over a real socket, and whether the client concludes more than it may."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import stamina

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteError
from billing_assets.erp.netsuite.suiteql import ExternalIdConflict, UnreadableRow, find_by_external_ids
from billing_assets.posting.answers import Landed, NotSent, Unauthorized, Unknown
from proving.bad_input.answers import misjudged, storable
from proving.bad_input.wire_inputs import Sent, send
from proving.world.raw_server import Call, RawServer, certificate_settings, login, raw_server, write_key


@dataclass
class Answering:
    """A server that answers whatever it is told, and clients of it."""

    server: RawServer
    key_file: Path
    answer: Sent | None = None
    token: Sent | None = None
    clients: list[NetSuiteClient] = field(default_factory=list)

    @property
    def base(self) -> str:
        return self.server.base_url

    def _client(self) -> NetSuiteClient:
        if not self.clients:
            settings = certificate_settings(self.base, self.key_file, timeout_seconds=0.4)
            self.clients.append(NetSuiteClient(settings))
        return self.clients[-1]

    def close(self) -> None:
        """End the clients' connections."""
        for client in self.clients:
            client.close()
        self.clients.clear()

    def faults_of_create(self, sent: Sent, record_type: str = "invoice") -> list[str]:
        """What is wrong with what the client says of this answer to a create. Raises what crashed it."""
        self.answer, self.token = sent, None
        answer = self._client().create(record_type, b'{"externalId": "INV-1"}')  # type: ignore[arg-type]
        if not sent.arrives:
            return [] if isinstance(answer, Unknown) else [f"no answer came, and {answer} was concluded"]
        status, head = sent.status, sent.head(self.base)
        if sent.framing == "announced more" and isinstance(answer, Unknown):
            return []
        wrong = misjudged(answer, status, head, sent.whole(), record_type, urlsplit(self.base).netloc)
        if wrong is None and isinstance(answer, Landed) and sent.framing not in _HARMLESS_FOR_204:
            wrong = "landed by an answer that was broken"
        return [f"{wrong}: {answer}"] if wrong else []

    def faults_of_look_up(self, sent: Sent) -> list[str]:
        """The same of an answer to a look-up: what is found is found, and absent is only what surely is."""
        self.answer, self.token = sent, None
        try:
            found = find_by_external_ids(self._client(), ["INV-1"])
        except NetSuiteError as error:
            return [] if storable(str(error)[:100]) else ["the error is no text"]
        body = sent.whole()
        if sent.status != 200 or not sent.arrives or body is None:
            return [f"a look-up believed an answer that was none: {found}"]
        page = json.loads(body)
        if not found and (page["items"] or str(page.get("hasMore")).lower() == "true"):
            return ["absent, although the answer is not empty"]
        for one in found.values():
            if isinstance(one, UnreadableRow):
                if not storable(one.problem):
                    return [f"cannot be kept: {one}"]
                continue
            transactions = one.transactions if isinstance(one, ExternalIdConflict) else (one,)
            if isinstance(one, ExternalIdConflict) and len({same.netsuite_id for same in transactions}) < 2:
                return ["a conflict of one transaction with itself"]
            for transaction in transactions:
                texts = [transaction.netsuite_id, transaction.external_id, transaction.type]
                texts += filter(None, (transaction.transaction_number, transaction.entity, transaction.currency))
                if not transaction.netsuite_id.isdigit() or not all(map(storable, texts)):
                    return [f"cannot be kept: {transaction}"]
                if transaction.type in {"CustInvc", "CustCred"} and transaction.total is None:
                    return ["a transaction without a total would be judged"]
        return []

    def faults_of_login(self, sent: Sent) -> list[str]:
        """The same of an answer to the login: without a token nothing is sent, and nothing is concluded."""
        self.close()  # a client that has a token asks for none
        self.answer, self.token = None, sent
        before = len(self.server.calls)
        answer = self._client().create("invoice", b"{}")
        sent_on = self.server.calls[before:]
        if any("\r\nX-Injected" in call.head for call in sent_on):
            return ["a token became a header"]
        if isinstance(answer, NotSent | Unauthorized):
            reason = answer.reason if isinstance(answer, NotSent) else answer.detail
            return ["sent without a login"] if sent_on else [] if storable(reason) else [f"no text: {reason!r}"]
        return [] if sent.status == 200 and sent_on else [f"{answer} without a login"]


_HARMLESS_FOR_204 = {
    "length", "chunked", "until close", "gzip", "slow", "announced more", "announced less", "reset in body",
    "bad chunk", "half a chunk", "half a gzip", "gzip chain",
}  # fmt: skip
"""A 204 has no body, so nothing of it can be missing."""


@contextmanager
def answering(folder: Path) -> Iterator[Answering]:
    """A server on loopback and its clients. Reads are tried once: what is tried again is tested elsewhere."""
    world: Answering | None = None

    def behave(call: Call) -> bool:
        assert world is not None
        return send(call, world.answer, world.base) if world.answer else call.landed()

    def log_in(call: Call) -> bool | None:
        assert world is not None
        return send(call, world.token, world.base) if world.token else login(call)

    with raw_server(behave, on_login=log_in) as server, stamina.set_testing(True, attempts=1):
        world = Answering(server, write_key(folder / "key.pem"))
        try:
            yield world
        finally:
            world.close()
