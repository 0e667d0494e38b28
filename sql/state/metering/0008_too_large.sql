-- A file that is larger than the limit is refused for its size alone: its beginning is kept, to see what it was, not all of it.

alter table billing.raw_files add column kept bigint check (kept >= 0 and kept <= size);
comment on column billing.raw_files.kept is
    'How many of its first bytes are stored, of a file above the size limit; null: all of them';
comment on column billing.raw_files.sha256 is 'Of the bytes as they came; of a file above the size limit of what is kept';

create function billing.guard_raw_file_kept() returns trigger language plpgsql as $$
begin
    if new.kept is distinct from old.kept then
        raise exception 'what file % was never changes', old.id using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_raw_file_kept before update on billing.raw_files
    for each row execute function billing.guard_raw_file_kept();
