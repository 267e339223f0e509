"""`tracker`: run, try and look after an engagement tracker from the command line."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console

from api.database import (
    Cluster,
    NoDatabase,
    create_database,
    drop_database,
    ensure_database,
    finish,
    migrate,
    prepare_roles,
    require_usable,
)
from api.settings import LOOPBACK, Settings
from models.errors import Refusal
from models.policy import SCOPES

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


@app.command()
def demo(
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over: forget the demo's data.")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    credentials: Annotated[Path | None, typer.Option(help="Also write the sign-ins and clients to this file.")] = None,
) -> None:
    """Serve two sandbox organisations with demo data, on the embedded database. Loopback only."""
    if host not in LOOPBACK:
        _fail(f"The demo's passwords are printed, so it listens on loopback only, not on {host}.")
    _require_free(host, port)
    settings = _demo_settings(host, port)
    with contextlib.suppress(KeyboardInterrupt), _embedded(settings, "demo", fresh=fresh) as ready:
        asyncio.run(_serve(ready, host, port, _Demo(ready, credentials)))


@app.command()
def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve the API: on TRACKER_DATABASE_URL, or on the embedded database when that is unset."""
    _require_free(host, port)
    # Away from loopback the public address is the operator's to say.
    address = _address(host, port) if host in LOOPBACK else None
    with contextlib.suppress(KeyboardInterrupt), _database(address) as settings, _metrics(settings):
        asyncio.run(_serve(settings, host, port))


@app.command()
def worker() -> None:
    """Do what the clock asks for, apart from a server, until stopped."""
    from api.worker import run

    settings = _settings()
    with contextlib.suppress(KeyboardInterrupt):
        if settings.worker_database_url is not None:
            asyncio.run(run(settings.worker_database_url))
        elif settings.database_url is not None:
            _fail("Set TRACKER_WORKER_DATABASE_URL to the database's address as tracker_worker.")
        else:
            with _embedded(settings, "main") as ready:
                asyncio.run(run(ready.worker_database_url or ""))


@app.command("migrate")
def migrate_() -> None:
    """Bring the schema of TRACKER_OWNER_DATABASE_URL (as tracker_owner) up to date."""
    url = _settings().owner_database_url
    if url is None:
        _fail("Set TRACKER_OWNER_DATABASE_URL to the database's address as tracker_owner.")
    _require_usable(url, powerful=True)
    migrate(url)


@app.command()
def openapi(
    write: Annotated[Path | None, typer.Option(help="Write the document to this file.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail when this file differs from the document.")] = None,
) -> None:
    """Print the OpenAPI document of this version."""
    from api.app import create_app

    text = json.dumps(create_app(_settings()).openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if check is not None:
        if not check.exists() or check.read_text() != text:
            _fail(f"{check} is not what the code says: run `uv run tracker openapi --write {check}`.")
    elif write is not None:
        write.write_text(text)
    else:
        sys.stdout.write(text)


@app.command()
def init(
    slug: Annotated[str, typer.Option(prompt=True, help="Short name in addresses, such as north-ferries.")],
    name: Annotated[str, typer.Option(prompt=True, help="Name of the organisation.")],
    email: Annotated[str, typer.Option(prompt=True, help="E-mail of its first admin.")],
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code.")] = "NL",
    time_zone: Annotated[str, typer.Option(help="IANA time zone.")] = "Europe/Amsterdam",
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "EUR",
    sandbox: Annotated[bool, typer.Option(help="A trial organisation with a clock of its own.")] = False,
) -> None:
    """Make an organisation and its admin, who chooses a password by the one-time link that is printed."""
    from api import provision
    from models.oauth import OAuthClient

    async def work(session: Any, settings: Settings, _keys: Any) -> str:
        # A server that runs keeps this client at its own address, which may not be ours.
        if await session.get(OAuthClient, provision.DOCS) is None:
            await provision.ensure_docs_client(session, settings)
        tenant_id = await provision.create_organisation(
            session, slug=slug, name=name, country=country, time_zone=time_zone, currency=currency, sandbox=sandbox
        )
        account_id = await provision.create_account(session, email=email, name=email, password=None)
        await provision.add_membership(session, tenant_id, account_id, ["admin"])
        return await provision.invite(session, settings, account_id)

    typer.echo(_provision(work))


@app.command()
def token(
    as_: Annotated[str, typer.Option("--as", help="E-mail of the person to act as.")],
    organisation: Annotated[str, typer.Option(help="Slug of a sandbox organisation.")],
    scope: Annotated[list[str] | None, typer.Option(help="A scope, repeatable; all when left out.")] = None,
    on: Annotated[str, typer.Option(help="Which embedded database: demo or main.")] = "demo",
    port: Port = 8000,
) -> None:
    """Print a short access token for trying the API with curl; in sandbox organisations only."""
    from api import provision

    async def work(session: Any, settings: Settings, keys: Any) -> str:
        return await provision.mint_token(
            session, keys, settings, email=as_, organisation=organisation, scopes=scope or []
        )

    typer.echo(_provision(work, demo=_demo_settings("127.0.0.1", port) if on == "demo" else None))


@app.command("create-client")
def create_client(
    organisation: Annotated[str, typer.Option(help="Slug of the organisation.")],
    name: Annotated[str, typer.Option(help="Name of the program.")],
    role: Annotated[list[str], typer.Option(help="A role, repeatable.")],
    scope: Annotated[list[str], typer.Option(help=f"A scope, repeatable: {', '.join(SCOPES)}.")],
) -> None:
    """Make a client that acts as itself (client credentials); its secret is printed this once."""
    from sqlmodel import select

    from api import provision
    from models.organisations import Organisation

    async def work(session: Any, _settings: Settings, _keys: Any) -> str:
        found = await session.scalar(select(Organisation).where(Organisation.slug == organisation))
        if found is None:
            _fail(f"There is no organisation {organisation}.")
        client_id, secret = await provision.create_client(session, found.id, name, role, scope)
        return f"client_id={client_id}\nclient_secret={secret}"

    typer.echo(_provision(work))


class _Demo:
    """What the demo does once the server runs: load its data through the API, then tell how to use it."""

    def __init__(self, settings: Settings, copy: Path | None) -> None:
        self.settings, self.copy = settings, copy

    async def __call__(self, served: Any) -> None:
        from api.demo import load_demo, write_secret

        kept = self.settings.data_dir / "demo.json"
        told = await load_demo(served, kept, _say)
        told |= {"issuer": self.settings.issuer, "api": self.settings.audience}
        if self.copy is not None:
            write_secret(self.copy, json.dumps(told, indent=2) + "\n")
        self._tell(told)

    def _tell(self, told: dict[str, Any]) -> None:
        out = Console(highlight=False, soft_wrap=True)
        for organisation in told["organisations"]:
            out.print(f"\n[bold]{organisation['name']}[/bold] ({organisation['slug']})")
            for person in organisation["people"]:
                out.print(f"  {person['email']:<34} {person['password']}  {', '.join(person['roles'])}")
            for client in organisation["clients"]:
                out.print(f"  client {client['client_id']}  {client['client_secret']}")
        client = told["organisations"][0]["clients"][0]
        issuer = told["issuer"]
        out.print(f"\nDocs: {issuer}/docs  (Authorize with client_id docs)\n\nTry, in another terminal:\n")
        pair = f"{client['client_id']}:{client['client_secret']}"
        read = "import json,sys; print(json.load(sys.stdin)['access_token'])"
        out.print(
            f"  TOKEN=$(curl -s -u '{pair}' -d grant_type=client_credentials {issuer}/oauth/token"
            f' | python3 -c "{read}")',
            markup=False,
        )
        out.print(f"  curl -s -H \"Authorization: Bearer $TOKEN\" '{issuer}/v1/experts?limit=2'", markup=False)
        out.print(
            f"  curl -s -H \"Authorization: Bearer $TOKEN\" -H 'Accept: text/csv'"
            f" '{issuer}/v1/experts?status=approved&fields=name,country,approval_ends_on'\n",
            markup=False,
        )
        out.print("Ctrl-C stops the server and its database.")


async def _serve(settings: Settings, host: str, port: int, once_up: _Demo | None = None) -> None:
    """Serve until stopped, with the worker beside it; `once_up` runs when the first request could be answered."""
    # The server raises the signal that stopped it once more at its end: as an interrupt, so that we still clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from api.app import create_app
    from api.oauth.session import auth_session
    from api.provision import ensure_docs_client
    from api.worker import run

    await _require_key(settings)
    served = create_app(settings)
    config = uvicorn.Config(
        served, host=host, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    sweeping = asyncio.create_task(run(settings.worker_database_url)) if settings.worker_database_url else None
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110  (the server has no event to wait for)
            await asyncio.sleep(0.02)
        if server.started:
            async with auth_session(served) as session:
                await ensure_docs_client(session, settings)
        if server.started and once_up is not None:
            await once_up(served)
        elif server.started:
            _say(f"Serving {settings.issuer}, docs at {settings.issuer}/docs")
        await serving
    finally:
        if sweeping is not None:
            sweeping.cancel()
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving


@contextlib.contextmanager
def _database(address: str | None = None) -> Iterator[Settings]:
    """Settings with a database that is ready: the operator's, or an embedded one that is started and migrated.

    `address` is the issuer unless the operator names one.
    """
    settings = _settings()
    if address is not None and "issuer" not in settings.model_fields_set:
        settings = settings.model_copy(update={"issuer": address})
    if settings.database_url is not None:
        _require_usable(settings.database_url)
        yield settings
        return
    with _embedded(settings, "main") as ready:
        yield ready


@contextlib.contextmanager
def _embedded(settings: Settings, database: str, *, fresh: bool = False) -> Iterator[Settings]:
    # A service manager's stop is an interrupt from the first moment on, so that the database stops too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _say("Starting the embedded PostgreSQL")
        cluster: Cluster = ensure_database(settings.data_dir)
        try:
            prepare_roles(cluster)
            if fresh:
                _forget(cluster, settings.data_dir, database)
            if create_database(cluster, database):
                _say("Creating the database")
            _say("Migrating the schema")
            migrate(cluster.url("tracker_owner", database))
            urls = {
                "database_url": cluster.url("tracker_app", database),
                "worker_database_url": cluster.url("tracker_worker", database),
            }
            yield settings.model_copy(update=urls)
        finally:
            _say("Stopping the database")
            cluster.stop()
    except NoDatabase as error:
        _fail(str(error))


def _forget(cluster: Cluster, data_dir: Path, database: str) -> None:
    drop_database(cluster, database)
    (data_dir / f"{database}.json").unlink(missing_ok=True)


def _provision(work: Any, *, demo: Settings | None = None) -> str:
    """Run provisioning in one transaction of the authorization server, and return what it tells."""
    from asgi_lifespan import LifespanManager

    from api.app import create_app
    from api.oauth.session import auth_session

    async def inside(settings: Settings) -> str:
        await _require_key(settings)
        served = create_app(settings)
        async with LifespanManager(served), auth_session(served) as session:
            return str(await work(session, settings, served.state.keys))

    with _database() if demo is None else _embedded(demo, "demo") as settings:
        try:
            return asyncio.run(inside(settings.model_copy(update={"log_level": "warning"})))
        except Refusal as refusal:
            _fail(refusal.detail)


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        _fail("\n".join(f"TRACKER_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()))


@contextlib.contextmanager
def _metrics(settings: Settings) -> Iterator[None]:
    from api import metrics

    if settings.metrics_port is not None:
        _require_free(settings.metrics_host, settings.metrics_port, "TRACKER_METRICS_PORT")
    with metrics.shown(settings):
        yield


def _demo_settings(host: str, port: int) -> Settings:
    return _settings(issuer=_address(host, port), log_level="warning", database_url=None)


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _require_usable(url: str, *, powerful: bool = False) -> None:
    try:
        finish(require_usable(url, powerful=powerful))
    except NoDatabase as error:
        _fail(str(error))


async def _require_key(settings: Settings) -> None:
    from api.oauth.keys import WrongKey, require_key

    try:
        await require_key(settings)
    except WrongKey as error:
        _fail(str(error))


def _require_free(host: str, port: int, way: str = "--port") -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            _fail(f"Cannot listen on {host}:{port} ({error.strerror}): choose another with {way}.")


def _say(text: str) -> None:
    console.print(f"[dim]·[/dim] {text}")


def _fail(text: str) -> NoReturn:
    console.print(text, style="red", markup=False)
    raise typer.Exit(1)
