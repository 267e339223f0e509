"""The client's own house: units, people, memberships, policy, clock; and the conventions every resource shares."""

import uuid

from api.events import EventOut
from api.me import MeOut
from api.organisations import BusinessUnitOut, ClockOut, MembershipOut, OrganisationOut, PersonOut, PolicyOut
from tests.conftest import House
from tests.shapes import assert_as_serialised


async def test_a_unit_is_created_read_changed_and_told(house: House) -> None:
    admin = await house.client("admin")
    created = await admin.post("/business-units", json={"name": "Sales"})
    assert created.status_code == 201, created.text
    unit = created.json()
    assert created.headers["location"] == f"/v1/business-units/{unit['id']}"
    assert created.headers["etag"] == '"1"'
    path = f"/business-units/{unit['id']}"
    assert (await admin.get(path)).json() == unit

    renamed = await admin.patch(path, json={"name": "Sales and service"}, headers={"if-match": '"1"'})
    assert (renamed.status_code, renamed.json()["name"], renamed.json()["version"]) == (200, "Sales and service", 2)

    told = (await admin.get(f"{path}/events")).json()["data"]
    assert [e["type"] for e in told] == ["business_unit.changed", "business_unit.created"]
    assert told[0]["changes"] == {"name": ["Sales", "Sales and service"]}
    assert told[0]["request_id"] == renamed.headers["x-request-id"]


async def test_a_change_without_or_with_an_old_etag_changes_nothing(house: House) -> None:
    admin = await house.client("admin")
    path = f"/business-units/{house.unit_id}"
    for headers, status, code in (({}, 428, "if-match-required"), ({"if-match": '"9"'}, 412, "stale")):
        refused = await admin.patch(path, json={"name": "Other"}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (await admin.get(path)).json()["name"] == "Marketing"


async def test_an_unchanged_object_is_304(house: House) -> None:
    admin = await house.client("admin")
    path = f"/business-units/{house.unit_id}"
    etag = (await admin.get(path)).headers["etag"]
    again = await admin.get(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_unit_cannot_stand_below_itself(house: House) -> None:
    admin = await house.client("admin")
    child = (await admin.post("/business-units", json={"name": "Child", "parent_id": str(house.unit_id)})).json()
    path = f"/business-units/{house.unit_id}"
    refused = await admin.patch(path, json={"parent_id": child["id"]}, headers={"if-match": "*"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unit-cycle")
    assert (await admin.get(path)).json()["parent_id"] is None


async def test_a_name_is_taken_once_and_a_reference_must_exist(house: House, other_house: House) -> None:
    admin = await house.client("admin")
    taken = await admin.post("/business-units", json={"name": "Marketing"})
    assert (taken.status_code, taken.json()["code"]) == (409, "already-exists")
    for parent in (uuid.uuid4(), other_house.unit_id):
        foreign = await admin.post("/business-units", json={"name": "New", "parent_id": str(parent)})
        assert (foreign.status_code, foreign.json()["code"]) == (422, "unknown-reference")


async def test_another_organisation_sees_none_of_it(house: House, other_house: House) -> None:
    stranger = await other_house.client("admin")
    for path in (f"/business-units/{house.unit_id}", f"/business-units/{uuid.uuid4()}"):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert str(house.unit_id) not in (await stranger.get("/business-units")).text
    patched = await stranger.patch(f"/business-units/{house.unit_id}", json={"name": "x"}, headers={"if-match": "*"})
    assert patched.status_code == 404
    assert (await stranger.get("/events", params={"subject_id": str(house.unit_id)})).json()["data"] == []


async def test_pages_walk_every_row_once_in_any_order(house: House) -> None:
    admin = await house.client("admin")
    for n in range(7):
        person = await house.person(f"P{n % 3}")
        if n % 2:
            departure = {"leaves_on": f"2999-01-0{n}"}
            assert (await admin.post(f"/people/{person}/announce-departure", json=departure)).status_code == 200
    everyone = {p["id"]: p for p in (await admin.get("/people")).json()["data"]}
    for sort in ("created_at", "-created_at", "name", "-name", "leaves_on", "-leaves_on"):
        seen, params = [], {"limit": "2", "sort": sort}
        while True:
            answer = await admin.get("/people", params=params)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            seen += [p["id"] for p in page["data"]]
            if page["next_cursor"] is None:
                assert "link" not in answer.headers
                break
            assert 'rel="next"' in answer.headers["link"]
            params["cursor"] = page["next_cursor"]
        assert sorted(seen) == sorted(everyone), sort
        assert len(seen) == len(set(seen))
        key = sort.lstrip("-")
        values = [everyone[i][key] for i in seen if everyone[i][key] is not None]
        assert values == sorted(values, reverse=sort.startswith("-")), sort


async def test_a_cursor_belongs_to_its_list(house: House, other_house: House) -> None:
    admin, stranger = await house.client("admin"), await other_house.client("admin")
    for _ in range(3):
        await house.person()
    cursor = (await admin.get("/people?limit=1&sort=name")).json()["next_cursor"]
    for client, query in (
        (admin, "sort=-name"),
        (admin, "sort=name&q=x"),
        (stranger, "sort=name"),
        (admin, "sort=name&limit=2"),
    ):
        answer = await client.get(f"/people?cursor={cursor}&{query}")
        expected = 200 if query.endswith("limit=2") else 422
        assert answer.status_code == expected, query
    assert (await admin.get("/people?cursor=nonsense")).json()["code"] == "cursor-mismatch"


async def test_lists_are_filtered_searched_counted_and_narrowed(house: House) -> None:
    admin = await house.client("admin")
    sales = await house.unit("Sales")
    await house.person("Zoë Zebra", unit_id=sales)
    found = (await admin.get("/people", params={"unit_id": str(sales), "count": "exact", "fields": "name"})).json()
    assert found["total"] == 1
    assert [set(p) for p in found["data"]] == [{"id", "name"}]
    assert len((await admin.get("/people?q=zebra")).json()["data"]) == 1
    assert (await admin.get("/people?q=%25")).json()["data"] == []
    assert (await admin.get("/people?leaves_on_from=2026-01-01")).json()["data"] == []
    assert (await admin.get("/people?fields=salary")).status_code == 422


async def test_lists_leave_as_csv_and_ndjson_whole(house: House) -> None:
    admin = await house.client("admin")
    await house.person('=1+1, or "more"')
    lines = (await admin.get("/people?fields=name", headers={"accept": "text/csv"})).text.splitlines()
    assert lines[0] == "id,name"
    assert any('\'=1+1, or ""more""' in line for line in lines)
    ndjson = await admin.get("/people", headers={"accept": "application/x-ndjson"})
    assert ndjson.headers["content-type"].startswith("application/x-ndjson")
    assert len(ndjson.text.splitlines()) == len((await admin.get("/people")).json()["data"])


async def test_a_departure_is_announced_for_a_day_to_come(house: House) -> None:
    admin = await house.client("admin")
    person = await house.person()
    late = await admin.post(f"/people/{person}/announce-departure", json={"leaves_on": "2020-01-01"})
    assert (late.status_code, late.json()["code"]) == (422, "departure-in-the-past")
    assert (await admin.get(f"/people/{person}")).json()["leaves_on"] is None


async def test_roles_are_read_live_and_nobody_changes_their_own(house: House) -> None:
    admin = await house.client("admin")
    procurement = await house.client("procurement")
    me = (await procurement.get("/me")).json()
    assert me["roles"] == ["procurement"]
    everyone = (await admin.get("/memberships")).json()["data"]
    theirs = next(m for m in everyone if m["account_id"] == me["account_id"])
    patch = {"json": {"roles": ["member"]}, "headers": {"if-match": "*"}}
    assert (await admin.patch(f"/memberships/{theirs['id']}", **patch)).status_code == 200
    refused = await procurement.post("/business-units", json={"name": "New"})
    assert (refused.status_code, refused.json()["code"]) == (403, "missing-role")
    mine = (await admin.get("/me")).json()["account_id"]
    own = next(m for m in everyone if m["account_id"] == mine)
    refused = await admin.patch(f"/memberships/{own['id']}", **patch)
    assert (refused.status_code, refused.json()["code"]) == (403, "own-membership")


async def test_scope_caps_what_a_role_may_do(house: House) -> None:
    admin = await house.client("admin", scopes=frozenset({"organisations:read"}))
    refused = await admin.post("/business-units", json={"name": "New"})
    assert (refused.status_code, refused.json()["code"]) == (403, "missing-scope")
    assert 'scope="organisations:write"' in refused.headers["www-authenticate"]


async def test_me_tells_who_and_where_one_is_and_what_the_token_carries(house: House) -> None:
    for scopes in ({"organisations:read", "money:read"}, set()):
        member = await house.client("member", "lead", scopes=frozenset(scopes))
        told = (await member.get("/me")).json()
        assert told["scopes"] == sorted(scopes)
        assert (told["roles"], told["organisation"]) == (["member", "lead"], house.slug)
        assert (told["organisation_id"], told["expert_id"]) == (str(house.id), None)


async def test_the_sandbox_clock_goes_forward_only(house: House) -> None:
    admin = await house.client("admin")
    before = (await admin.get("/clock")).json()
    moved = await admin.post("/clock/advance", json={"to": "2030-06-01T12:00:00Z"})
    assert (moved.status_code, moved.json()["today"]) == (200, "2030-06-01")
    assert (await admin.get("/clock")).json()["now"].startswith("2030-06-01T12:00")
    back = await admin.post("/clock/advance", json={"to": before["now"]})
    assert (back.status_code, back.json()["code"]) == (409, "clock-goes-forward")
    unit = (await admin.post("/business-units", json={"name": "Later"})).json()
    assert unit["created_at"].startswith("2030-06-01")


async def test_the_policy_is_read_and_changed_within_its_limits(house: House) -> None:
    admin = await house.client("admin")
    policy = (await admin.get("/policy")).json()
    assert (policy["min_sponsors"], policy["grace_days"]) == (2, 30)
    changed = await admin.patch("/policy", json={"grace_days": 10}, headers={"if-match": '"1"'})
    assert (changed.status_code, changed.json()["grace_days"]) == (200, 10)
    assert (await admin.patch("/policy", json={"min_sponsors": 1}, headers={"if-match": "*"})).status_code == 422
    assert (await admin.patch("/policy", json={"grace_days": None}, headers={"if-match": "*"})).status_code == 422


async def test_unknown_routes_and_methods_are_problems(house: House) -> None:
    admin = await house.client("admin")
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/people", 405), ("GET", "/people/", 404)):
        answer = await admin.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "allow" in (await admin.delete("/people")).headers


async def test_what_postgresql_writes_is_what_the_shapes_would_have_said(house: House) -> None:
    admin = await house.client("admin")
    person = await house.person('Zoë "Z" \\ \u2029Zebra')
    leaving = {"leaves_on": "2999-01-01"}
    assert (await admin.post(f"/people/{person}/announce-departure", json=leaving)).status_code == 200
    membership = (await admin.get("/memberships")).json()["data"][0]["id"]
    for path, out in (
        ("/business-units", BusinessUnitOut),
        (f"/business-units/{house.unit_id}", BusinessUnitOut),
        ("/clock", ClockOut),
        ("/events", EventOut),
        ("/me", MeOut),
        ("/memberships", MembershipOut),
        (f"/memberships/{membership}", MembershipOut),
        ("/organisation", OrganisationOut),
        ("/people", PersonOut),
        (f"/people/{person}", PersonOut),
        ("/policy", PolicyOut),
    ):
        await assert_as_serialised(admin, path, out)
