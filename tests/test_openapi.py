"""The document shows by example what each operation takes and gives, and what each refusal looks like."""

from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from api.app import operations
from api.problems import Problem
from models.policy import RULES
from tests.reference import problems

ROUTES = {route.name: route for route in operations()}


def documented(app: FastAPI) -> dict[str, dict[str, Any]]:
    return {o["operationId"]: o for found in app.openapi()["paths"].values() for o in found.values()}


def shown(app: FastAPI, content: dict[str, Any]) -> list[Any]:
    """The examples of a body or an answer, in every media type that it comes in."""
    refs = [part["examples"]["example"]["$ref"] for part in content.values()]
    return [app.openapi()["components"]["examples"][ref.rpartition("/")[2]]["value"] for ref in refs]


@pytest.mark.parametrize("name", ROUTES)
def test_examples_are_what_the_shapes_allow(app: FastAPI, name: str) -> None:
    operation, route = documented(app)[name], ROUTES[name]
    for body in shown(app, operation.get("requestBody", {}).get("content", {})):
        (parameter,) = route.dependant.body_params
        assert body
        TypeAdapter(parameter.field_info.annotation).validate_python(body)
    content = next(
        (answer["content"] for status, answer in operation["responses"].items() if status in ("200", "201")), {}
    )
    if route.response_model is None:
        assert "application/json" not in content, "an answer in JSON has a shape"
        return
    shape: Any = TypeAdapter(route.response_model)
    (told,) = shown(app, content)
    assert shape.dump_python(shape.validate_python(told), mode="json", exclude_unset=True) == told


def test_refusals_are_shown_as_problems_that_exist(app: FastAPI) -> None:
    exist = {(status, code) for status, code, _ in problems()}
    shared = app.openapi()["components"]["responses"]
    for name, answer in shared.items():
        example = Problem.model_validate(answer["content"]["application/problem+json"]["example"])
        assert (f"Problem{example.status}", (example.status, example.code) in exist) == (name, True)
    for name, operation in documented(app).items():
        refused = {status: answer for status, answer in operation["responses"].items() if not status.startswith("2")}
        assert {"401", "403", "422", "429"} <= refused.keys(), name
        for status, answer in refused.items():
            assert answer == {"$ref": f"#/components/responses/Problem{status}"}
            assert f"Problem{status}" in shared


def test_every_operation_names_its_scope(app: FastAPI) -> None:
    for name, operation in documented(app).items():
        scope = RULES[name].scope
        assert operation["security"] == [{"oauth2": [scope] if scope else []}]
