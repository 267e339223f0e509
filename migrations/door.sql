-- The door: one call finds out who is calling, live, and opens their tenant for this transaction only.
-- It belongs to tracker_auth, the one role that may look across tenants for that purpose.

create schema app;

grant usage on schema app to tracker_app, tracker_worker, tracker_auth;

-- No default and no "missing_ok": outside an opened transaction each of these raises, instead of showing all rows or none.
create function app.tenant_id() returns uuid language sql stable parallel safe
  return current_setting('app.tenant_id')::uuid;

create function app.account_id() returns uuid language sql stable parallel safe
  return current_setting('app.account_id')::uuid;

create function app.expert_id() returns uuid language sql stable parallel safe
  return nullif(current_setting('app.expert_id'), '')::uuid;

create function app.person_id() returns uuid language sql stable parallel safe
  return nullif(current_setting('app.person_id'), '')::uuid;

create function app.roles() returns text[] language sql stable parallel safe
  return string_to_array(current_setting('app.roles'), ' ');

-- The organisation's time: the wall clock, or a sandbox's own, and the local date in the organisation's zone.
create function app.now() returns timestamptz language sql stable parallel safe
  return transaction_timestamp() + current_setting('app.clock_offset')::interval;

create function app.today() returns date language sql stable parallel safe
  return ((transaction_timestamp() + current_setting('app.clock_offset')::interval)
          at time zone current_setting('app.time_zone'))::date;

-- Raises 28000 (invalid_authorization_specification) when the grant, the account, the client, the membership or the
-- organisation no longer stands; the caller learns no more than that.
create function app.enter(tenant uuid, account uuid, session uuid) returns text[]
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  caller record;
begin
  select m.roles, m.person_id, m.expert_id, o.clock_offset, o.time_zone
    into caller
    from public.oauth_grants g
    join public.oauth_clients c on c.client_id = g.client_id and c.disabled_at is null
    join public.accounts a on a.id = g.account_id and a.status = 'active'
    join public.memberships m on m.tenant_id = g.tenant_id and m.account_id = g.account_id
    join public.organisations o on o.tenant_id = g.tenant_id and o.id = g.tenant_id and not o.suspended
   where g.id = session and g.tenant_id = tenant and g.account_id = account
     and g.revoked_at is null and (g.expires_at is null or g.expires_at > now());
  if not found then
    raise exception 'the grant behind this token no longer stands' using errcode = '28000';
  end if;
  perform set_config('app.tenant_id', tenant::text, true),
          set_config('app.account_id', account::text, true),
          set_config('app.person_id', coalesce(caller.person_id::text, ''), true),
          set_config('app.expert_id', coalesce(caller.expert_id::text, ''), true),
          set_config('app.clock_offset', caller.clock_offset::text, true),
          set_config('app.roles', array_to_string(caller.roles, ' '), true),
          set_config('app.time_zone', caller.time_zone, true);
  return caller.roles;
end $$;

-- The one answer that reaches past the tenant: where else the caller's own account belongs.
create function app.my_organisations() returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('slug', o.slug, 'name', o.name, 'roles', m.roles) order by o.slug), '[]')
      from public.memberships m
      join public.organisations o on o.tenant_id = m.tenant_id and o.id = m.tenant_id
     where m.account_id = app.account_id() and not o.suspended);
end $$;

-- A cell of a CSV file: quoted where needed, and never read as a formula by a spreadsheet.
create function app.csv(cell text) returns text language sql immutable parallel safe
  return case
    when cell is null then ''
    when cell ~ '^[=+@\t\r]' or cell ~ '^-[^0-9]' then '"''' || replace(cell, '"', '""') || '"'
    when cell ~ '[",\n\r]' then '"' || replace(cell, '"', '""') || '"'
    else cell
  end;

-- A function's owner must be allowed to create in its schema, at the moment it becomes the owner.
grant create on schema app to tracker_auth;

alter function app.enter(uuid, uuid, uuid) owner to tracker_auth;

alter function app.my_organisations() owner to tracker_auth;

revoke create on schema app from tracker_auth;

revoke all on function app.enter(uuid, uuid, uuid), app.my_organisations() from public;

grant execute on function app.enter(uuid, uuid, uuid), app.my_organisations() to tracker_app;
