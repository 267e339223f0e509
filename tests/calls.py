"""How tests over HTTP act on an object: what is done, and what is refused with nothing changed."""

from typing import Any

import httpx


async def made(caller: httpx.AsyncClient, collection: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await caller.post(f"/{collection}", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/{collection}/{answer.json()['id']}"
    return dict(answer.json())


async def done(caller: httpx.AsyncClient, path: str, action: str, **body: Any) -> dict[str, Any]:
    answer = await caller.post(f"{path}/{action}", json=body or None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def changed(caller: httpx.AsyncClient, path: str, **body: Any) -> httpx.Response:
    """Patch what the caller has just read."""
    return await caller.patch(path, json=body, headers={"if-match": (await caller.get(path)).headers["etag"]})


async def refused(caller: httpx.AsyncClient, path: str, action: str, *rules: str, **body: Any) -> None:
    """The action is refused for exactly these rules, as `transitions` tells the caller too, and nothing changes."""
    before = (await caller.get(path)).json()
    answer = await caller.post(f"{path}/{action}", json=body or None)
    code = "wrong-state" if rules == ("status",) else f"cannot-{action}"
    assert answer.status_code == 409, answer.text
    assert (answer.json()["code"], [u["rule"] for u in answer.json()["unmet"]]) == (code, list(rules))
    told = {t["action"]: t for t in (await caller.get(f"{path}/transitions")).json()["data"]}
    assert (told[action]["allowed"], told[action]["unmet"]) == (False, answer.json()["unmet"])
    assert (await caller.get(path)).json() == before


async def not_for(caller: httpx.AsyncClient, path: str, action: str, **body: Any) -> None:
    """The caller holds none of the roles that the action takes, and nothing changes."""
    before = (await caller.get(path)).json()
    answer = await caller.post(f"{path}/{action}", json=body or None)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing-role"), answer.text
    assert (await caller.get(path)).json() == before


async def hidden(caller: httpx.AsyncClient, path: str, *actions: str, **body: Any) -> None:
    """To this caller there is no such object, whatever of these (`patch`, or an action) they try."""
    tries = [await caller.get(path), await caller.get(f"{path}/transitions")]
    for action in actions:
        if action == "patch":
            tries.append(await caller.patch(path, json={}, headers={"if-match": "*"}))
        else:
            tries.append(await caller.post(f"{path}/{action}", json=body or None))
    assert [t.status_code for t in tries] == [404] * len(tries), [t.text for t in tries]
    collection, _, id = path.rpartition("/")
    assert id not in [row["id"] for row in (await caller.get(collection)).json()["data"]]


def rules(answer: httpx.Response) -> list[str]:
    """The rules in the way, of an action that was refused."""
    assert answer.status_code == 409, answer.text
    return [unmet["rule"] for unmet in answer.json()["unmet"]]
