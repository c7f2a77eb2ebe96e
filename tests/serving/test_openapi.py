"""What the API says of itself: requests made from its schema get documented answers and no 500."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import product

import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from darec.serving.app import create_app
from darec.serving.settings import ServingSettings

EXAMPLES = 8
"""Of each operation, of each kind: as the schema says, and otherwise."""


def test_answers_are_as_documented(settings: ServingSettings) -> None:
    app = create_app(replace(settings, max_items=5))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    wanted = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 10
    for operation, mode in product(operations, schemathesis.GenerationMode):

        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[*hypothesis.HealthCheck],
        )
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=wanted)

        with suppress(
            hypothesis.errors.Unsatisfiable
        ):  # a request without parameters cannot be wrong
            ask()


def test_examples_are_answered(client: TestClient) -> None:
    """Those of the schema, but for their ids."""
    told = client.get("/openapi.json").json()
    for name, body in (("Asking", {}), ("NewItem", {}), ("Event", {"item_id": "i3"})):
        example = {**told["components"]["schemas"][name]["examples"][0], **body}
        if name == "Asking":
            example["history"] = ["i3", "i30"]
        path = {"Asking": "/v1/recommendations", "NewItem": "/v1/items", "Event": "/v1/feedback"}[
            name
        ]
        assert client.post(path, json=example).status_code in (200, 201, 202), name
    for path, methods in told["paths"].items():
        for method, about in methods.items():
            assert about["description"], (path, method)
            if path.startswith("/v1"):
                assert {"401", "413", "422", "503"} <= {*about["responses"]}
