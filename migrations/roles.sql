-- The roles that the walls stand on. Run by a superuser, any number of times, by one at a time.
select pg_advisory_xact_lock(hashtextextended('tracker-roles', 0));

do $$
declare
  missing text;
begin
  foreach missing in array array['tracker_owner login', 'tracker_app login noinherit', 'tracker_worker login', 'tracker_auth nologin']
  loop
    if not exists (select from pg_roles where rolname = split_part(missing, ' ', 1)) then
      execute format('create role %s nosuperuser nobypassrls nocreatedb nocreaterole', missing);
    end if;
  end loop;
end $$;

-- tracker_app inherits nothing: to touch how people sign in it must say `set role tracker_auth`.
grant tracker_auth to tracker_app;

-- The owner hands the door's functions over to tracker_auth.
grant tracker_auth to tracker_owner;
