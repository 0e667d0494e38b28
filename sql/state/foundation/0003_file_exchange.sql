-- What guards the files of every outbox (`billing_assets/file_exchange/`), whichever room's tables they are in.

create function billing.guard_outbox_file() returns trigger language plpgsql as $$
declare
    of_the_delivery constant text[] := array['state', 'epoch', 'remote_path', 'remote_sha256', 'posted_at',
        'read_back_at', 'difference', 'unproven'];
begin
    if old.state <> new.state and (old.state, new.state) not in (
        ('batched', 'locked'), ('locked', 'batched'), ('locked', 'posting'), ('posting', 'locked'),
        ('posting', 'posted'), ('posting', 'rejected'), ('posting', 'differs'), ('differs', 'posted'),
        ('differs', 'rejected'), ('rejected', 'locked')
    ) then
        raise exception 'file % may not go from % to %', old.external_id, old.state, new.state
            using errcode = 'check_violation';
    end if;
    if to_jsonb(new) - of_the_delivery is distinct from to_jsonb(old) - of_the_delivery
        or old.state = 'posted' and (new.remote_path, new.posted_at, new.epoch)
            is distinct from (old.remote_path, old.posted_at, old.epoch)
    then
        raise exception 'file % never changes', old.external_id using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function billing.guard_outbox_file is 'Trigger: a file keeps what it is, and moves only as the posting core moves it';
