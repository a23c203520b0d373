"""A W&B server for tests: answers what a mirrored run asks and keeps what it is sent."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY = "tester"


@dataclass
class SentRun:
    """A run as the server knows it after `UpsertBucket` and ``file_stream``."""

    variables: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def config(self) -> dict[str, Any]:
        sent = json.loads(self.variables["config"])
        return {key: entry["value"] for key, entry in sent.items() if key != "_wandb"}


class StandIn:
    """The server's state; a context manager that serves it on a port of its own.

    Attributes:
        runs: by id.
        files: uploaded, by ``<run>/<path>``.
        views: saved workspaces, as the variables of ``UpsertView2``.
        dies_in: the server goes away, unanswered, when it is sent history of the run of this name.
        refuses: operations that are answered with an error.
        unknown: operations that were asked and that it has no answer for.
    """

    def __init__(self) -> None:
        self.runs: dict[str, SentRun] = {}
        self.files: dict[str, bytes] = {}
        self.views: list[dict[str, Any]] = []
        self.dies_in = ""
        self.refuses: set[str] = set()
        self.unknown: list[str] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": self}))
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    def by_name(self) -> dict[str, SentRun]:
        """The runs by their display names."""
        return {run.variables["displayName"]: run for run in self.runs.values()}

    def answer(self, operation: str, sent: dict[str, Any]) -> dict[str, Any]:
        """The ``data`` of a GraphQL operation."""
        match operation:
            case "ServerFeaturesQuery":
                return {"serverInfo": {"features": []}}
            case "Viewer":
                return {
                    "viewer": {"id": "1", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": {"edges": []}}
                }
            case "RunResumeStatus":
                return {
                    "model": {"id": "1", "name": sent["project"], "entity": _entity(), "bucket": self._bucket(sent)}
                }
            case "UpsertBucket":
                return self._upsert(sent)
            case "CreateRunFiles":
                files = [{"name": name, "uploadUrl": f"{self.url}/{sent['run']}/{name}"} for name in sent["files"]]
                return {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}
            case "CreateArtifact":
                known = {"id": "1", "state": "COMMITTED", "artifactSequence": {"latestArtifact": {"id": "1"}}}
                return {"createArtifact": {"artifact": known}}
            case "ArtifactType":
                return {"project": None}
            case "UpsertView2":
                self.views.append(sent)
                return {"upsertView": {"view": {"id": "1", "name": sent["name"]}, "inserted": True}}
        self.unknown.append(operation)
        return {}

    def stream(self, run: SentRun, sent: dict[str, Any]) -> None:
        """Take a chunk of a run's files: lines replace those from their offset on."""
        files = sent.get("files") or {}
        if lines := files.get("wandb-history.jsonl"):
            at = lines["offset"]
            run.history[at : at + len(lines["content"])] = map(json.loads, lines["content"])
        if lines := files.get("wandb-summary.json"):
            run.summary = json.loads(lines["content"][-1])
        if sent.get("complete"):
            run.exit_code = sent["exitcode"]

    def _upsert(self, sent: dict[str, Any]) -> dict[str, Any]:
        inserted = sent["name"] not in self.runs
        run = self.runs.setdefault(sent["name"], SentRun({}))
        run.variables |= {key: value for key, value in sent.items() if value is not None}
        project = {"id": "1", "name": run.variables["project"], "entity": _entity()}
        bucket = {
            "id": "1",
            "name": sent["name"],
            "displayName": run.variables["displayName"],
            "config": run.variables["config"],
            "project": project,
            "historyLineCount": len(run.history),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _bucket(self, sent: dict[str, Any]) -> dict[str, Any] | None:
        run = self.runs.get(sent["name"])
        return run and {
            "id": "1",
            "name": sent["name"],
            "displayName": run.variables["displayName"],
            "summaryMetrics": json.dumps(run.summary),
            "logLineCount": 0,
            "historyLineCount": len(run.history),
            "eventsLineCount": 0,
            "historyTail": json.dumps([json.dumps(line) for line in run.history[-1:]]),
            "eventsTail": "[]",
            "config": run.variables["config"],
            "tags": run.variables.get("tags", []),
            "wandbConfig": '{"t": 1}',
        }


class _Handler(BaseHTTPRequestHandler):
    state: StandIn
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self._body())
        if not self.path.endswith("file_stream"):
            operation = body.get("operationName") or body["query"].split("(")[0].split()[1]
            if operation in self.state.refuses:
                self._reply({"errors": [{"message": f"{operation} is refused"}]})
            else:
                self._reply({"data": self.state.answer(operation, body.get("variables") or {})})
            return
        run = self.state.runs[self.path.split("/")[-2]]
        if run.variables["displayName"] == self.state.dies_in:
            self.close_connection = True
            threading.Thread(target=self.state.__exit__, daemon=True).start()
            return
        self.state.stream(run, body)
        self._reply({"exitcode": None, "limits": {}})

    def do_PUT(self) -> None:
        self.state.files[self.path.strip("/")] = self._body()
        self._reply({})

    def log_message(self, *_: object) -> None:
        pass

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _reply(self, content: dict[str, Any]) -> None:
        reply = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)


def _entity() -> dict[str, str]:
    return {"id": "1", "name": ENTITY}
