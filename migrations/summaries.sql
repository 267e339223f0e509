-- The portfolio's counts: how many objects of a collection stand at a status, kept in the transaction that changes them.
-- Triggers count whole statements, so a bulk load costs one upsert and not one per row.

-- The triggers run as tracker_auth: an expert's progress moves the counts too, yet no caller may write or forge them.
grant select, insert, update on portfolio_counts to tracker_auth;

create policy auth_reach on portfolio_counts to tracker_auth using (true) with check (true);

revoke insert, update, delete on portfolio_counts from tracker_app;

-- Rows are taken in the order of their key, so two transactions that move the same counts cannot deadlock on them.
create function app.count_inserted() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
  insert into public.portfolio_counts as c (tenant_id, collection, status, n)
  select tenant_id, tg_table_name, status, count(*) from added group by tenant_id, status order by tenant_id, status
  on conflict (tenant_id, collection, status) do update set n = c.n + excluded.n;
  return null;
end $$;

create function app.count_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
  insert into public.portfolio_counts as c (tenant_id, collection, status, n)
  select tenant_id, tg_table_name, status, -count(*) from removed group by tenant_id, status order by tenant_id, status
  on conflict (tenant_id, collection, status) do update set n = c.n + excluded.n;
  return null;
end $$;

create function app.count_updated() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
  insert into public.portfolio_counts as c (tenant_id, collection, status, n)
  select tenant_id, tg_table_name, status, sum(step)
    from (select tenant_id, status, 1 as step from added
          union all
          select tenant_id, status, -1 from removed) as moved
   group by tenant_id, status having sum(step) <> 0
   order by tenant_id, status
  on conflict (tenant_id, collection, status) do update set n = c.n + excluded.n;
  return null;
end $$;

-- Counts everything anew, for every tenant. Only who reaches across tenants may call it: tracker_worker.
create function app.rebuild_portfolio_counts() returns void
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  lock table public.programmes, public.engagements, public.milestones in share mode;
  delete from public.portfolio_counts;
  insert into public.portfolio_counts (tenant_id, collection, status, n)
  select tenant_id, 'programmes', status, count(*) from public.programmes group by tenant_id, status
  union all
  select tenant_id, 'engagements', status, count(*) from public.engagements group by tenant_id, status
  union all
  select tenant_id, 'milestones', status, count(*) from public.milestones group by tenant_id, status;
end $$;

-- A function's owner must be allowed to create in its schema, at the moment it becomes the owner.
grant create on schema app to tracker_auth;

alter function app.count_inserted() owner to tracker_auth;

alter function app.count_deleted() owner to tracker_auth;

alter function app.count_updated() owner to tracker_auth;

revoke create on schema app from tracker_auth;

revoke all on function app.rebuild_portfolio_counts() from public;

grant execute on function app.rebuild_portfolio_counts() to tracker_worker;

create trigger count_inserted after insert on programmes
  referencing new table as added for each statement execute function app.count_inserted();

create trigger count_deleted after delete on programmes
  referencing old table as removed for each statement execute function app.count_deleted();

create trigger count_updated after update on programmes
  referencing old table as removed new table as added for each statement execute function app.count_updated();

create trigger count_inserted after insert on engagements
  referencing new table as added for each statement execute function app.count_inserted();

create trigger count_deleted after delete on engagements
  referencing old table as removed for each statement execute function app.count_deleted();

create trigger count_updated after update on engagements
  referencing old table as removed new table as added for each statement execute function app.count_updated();

create trigger count_inserted after insert on milestones
  referencing new table as added for each statement execute function app.count_inserted();

create trigger count_deleted after delete on milestones
  referencing old table as removed for each statement execute function app.count_deleted();

create trigger count_updated after update on milestones
  referencing old table as removed new table as added for each statement execute function app.count_updated();
