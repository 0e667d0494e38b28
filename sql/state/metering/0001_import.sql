-- Files of the market as they came, what was found in them, and the messages they hold.

create table billing.folder_looks (
    folder     text        not null,
    name       text        not null,
    size       bigint      not null,
    changed_at timestamptz not null,
    since      timestamptz not null default clock_timestamp(),
    primary key (folder, name)
);
comment on table billing.folder_looks is
    'Files seen in an input folder that may still be growing: taken once a later look finds the same size and time';
comment on column billing.folder_looks.since is 'When it was first seen with this size and time';

create table billing.raw_files (
    id              bigint      generated always as identity primary key,
    folder          text,
    name            text        not null,
    channel         text        not null check (channel in ('folder', 'sftp', 'command', 'api')),
    sender          text        not null default '',
    size            bigint      not null,
    changed_at      timestamptz,
    sha256          bytea       not null check (length(sha256) = 32),
    content_sha256  bytea       check (length(content_sha256) = 32),
    received_at     timestamptz not null default clock_timestamp(),
    state           text        not null default 'received'
        check (state in ('received', 'accepted', 'held', 'refused', 'duplicate')),
    decided_at      timestamptz,
    duplicate_of    bigint      references billing.raw_files,
    format          text        not null default '',
    header          jsonb       not null default '{}',
    made_at         timestamptz,
    counts          jsonb       not null default '{}',
    quality         jsonb       not null default '{}',
    messages        bigint      not null default 0,
    readings        bigint      not null default 0,
    acknowledgement text        check (acknowledgement in ('A', 'E', 'P', 'R')),
    moved_at        timestamptz,
    moved_to        text,
    queue_state     text        not null default 'waiting'
        check (queue_state in ('waiting', 'claimed', 'done', 'parked')),
    queue_epoch     bigint      not null default 0,
    queue_attempts  integer     not null default 0,
    queue_due       timestamptz not null default clock_timestamp(),
    queue_worker    text,
    queue_why       text,
    constraint duplicate_names_its_original check ((state = 'duplicate') = (duplicate_of is not null)),
    constraint decided_files_say_when check ((state = 'received') = (decided_at is null)),
    constraint moved_after_the_verdict check (moved_at is null or state <> 'received' or queue_state = 'parked')
);
comment on table billing.raw_files is 'Every file that came, stored before it was read, and what became of it';
comment on column billing.raw_files.folder is 'Input folder by its name in the settings; null: it came another way';
comment on column billing.raw_files.sha256 is 'Of the bytes as they came';
comment on column billing.raw_files.content_sha256 is 'Of what was read: of a zip its member. The same content is one file';
comment on column billing.raw_files.changed_at is 'Its time in the folder it came from';
comment on column billing.raw_files.made_at is 'When the sender made it, as its header says';
comment on column billing.raw_files.counts is 'Findings by code, all of them; raw_findings has the sentences of the first';
comment on column billing.raw_files.quality is 'Readings by quality and method, such as A or S14';
comment on column billing.raw_files.readings is 'Readings of the file by its reader, before anything is held';
comment on column billing.raw_files.moved_at is 'When it had left its folder; null: it is there, or never was in one';
comment on column billing.raw_files.moved_to is 'Where it is now; null: it was gone, or another file had its place';
comment on column billing.raw_files.queue_due is 'When it may be claimed; of a claimed one the end of the lease';
create index raw_files_waiting on billing.raw_files (queue_due, id) where queue_state in ('waiting', 'claimed');
create index raw_files_sha256 on billing.raw_files (sha256);
create unique index raw_files_content on billing.raw_files (content_sha256)
    where state in ('accepted', 'held', 'refused');
-- Two that look into a folder at once take a file once.
create unique index raw_files_in_their_folder on billing.raw_files (folder, name)
    where moved_at is null and folder is not null;
create index raw_files_by_state on billing.raw_files (state, received_at);

create table billing.raw_chunks (
    file    bigint  not null references billing.raw_files,
    number  integer not null,
    content bytea   not null,
    primary key (file, number)
);
comment on table billing.raw_chunks is 'The bytes of raw files in pieces of one megabyte, as they came; append-only';
comment on column billing.raw_chunks.number is 'From 0, without gaps';
do $$
begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        alter table billing.raw_chunks alter column content set compression lz4;
    end if;
end
$$;
create trigger append_only before update or delete or truncate on billing.raw_chunks
    for each statement execute function billing.append_only();

create table billing.raw_findings (
    file     bigint  not null references billing.raw_files,
    reading  integer not null,
    number   integer not null,
    code     text    not null,
    line     bigint,
    sentence text    not null check (sentence ~ '\S'),
    severity text    not null check (severity in ('refuse', 'hold', 'warn')),
    primary key (file, reading, number)
);
comment on table billing.raw_findings is 'What was found in a file, with its line, in the order found; append-only';
comment on column billing.raw_findings.reading is 'Which reading of the file found it: a refused file may be read again';
comment on column billing.raw_findings.line is 'From 1; of X12 the segment''s number in the file; null: the whole file';
create index raw_findings_code on billing.raw_findings (code);
create trigger append_only before update or delete or truncate on billing.raw_findings
    for each statement execute function billing.append_only();

create table billing.raw_streams (
    file           bigint  not null references billing.raw_files,
    point          text    not null,
    suffix         text    not null,
    serial         text    not null,
    unit           text    not null,
    length_seconds integer not null,
    readings       bigint  not null,
    quantity       numeric not null,
    first          date,
    last           date
);
comment on table billing.raw_streams is 'What an accepted file has of each stream, by its reader: Σ file; append-only';
create index raw_streams_file on billing.raw_streams (file);
create trigger append_only before update or delete or truncate on billing.raw_streams
    for each statement execute function billing.append_only();

-- One row for each NMI-day block, register read and transaction set. No index is on a point or a day of interval data:
-- the readings have it, and name their message; so a million rows a day are appended at one end of each index.
create table billing.raw_messages (
    id           bigint      generated by default as identity primary key,
    file         bigint      not null references billing.raw_files,
    type         text        not null check (type in ('interval', 'register') or type ~ '^[0-9]{3}$'),
    line         bigint      not null,
    point        text        not null default '',
    suffix       text        not null default '',
    serial       text        not null default '',
    day          date,
    begins_at    timestamptz,
    ends_at      timestamptz,
    key          text        not null default '',
    control      text        not null default '',
    stamp        timestamptz,
    content_hash bytea       not null,
    readings     integer     not null default 0,
    quantity     numeric     not null default 0,
    state        text        not null check (state in ('received', 'refused', 'duplicate', 'accepted', 'held', 'waiting',
        'ready', 'rejected', 'superseded', 'billed', 'restated')),
    code         text,
    sentence     text,
    state_since  timestamptz not null default clock_timestamp(),
    verdict      text        check (verdict in ('accept', 'hold', 'refuse')),
    codes        text[],
    keys         jsonb,
    quantities   jsonb,
    total        numeric,
    content      jsonb,
    text         text,
    constraint explained check (state not in ('refused', 'held', 'waiting')
        or code is not null and sentence is not null and sentence ~ '\S')
);
comment on table billing.raw_messages is 'The messages of accepted and held files, each with its state';
comment on column billing.raw_messages.type is 'interval (a stream''s day), register (a register read), or the X12 set: 867';
comment on column billing.raw_messages.line is 'Line in the file, from 1; of X12 the number of the segment ST';
comment on column billing.raw_messages.key is
    'The business key where it is not point, suffix and period: of a set BPT02, BIG02, BGN02, …';
comment on column billing.raw_messages.control is 'Of a set its ST02';
comment on column billing.raw_messages.stamp is 'The sender''s version of it';
comment on column billing.raw_messages.quantity is 'Sum of its readings; of a usage set its quantity';
comment on column billing.raw_messages.verdict is 'Of a set: what the reader made of it; codes: why';
comment on column billing.raw_messages.content is 'Of a set: what its type makes of it';
comment on column billing.raw_messages.text is 'Of a set its segments as written; of the others the file has the lines';
create index raw_messages_file on billing.raw_messages (file, line);
create index raw_messages_open on billing.raw_messages (state, code) where state in ('held', 'waiting');
create index raw_messages_sets on billing.raw_messages (type, key) where type not in ('interval', 'register');
create index raw_messages_points on billing.raw_messages (point, begins_at) where type not in ('interval', 'register');

create table billing.message_states (
    id       bigint      generated always as identity primary key,
    message  bigint      not null references billing.raw_messages,
    state    text        not null,
    code     text,
    sentence text,
    noted_at timestamptz not null default clock_timestamp()
);
comment on table billing.message_states is 'The states a message was in before its present one; append-only';
create index message_states_message on billing.message_states (message);
create trigger append_only before update or delete or truncate on billing.message_states
    for each statement execute function billing.append_only();

create table billing.received_interchanges (
    sender         text        not null,
    control        text        not null,
    content_sha256 bytea       not null,
    file           bigint      not null references billing.raw_files,
    noted_at       timestamptz not null default clock_timestamp(),
    primary key (sender, control)
);
comment on table billing.received_interchanges is
    'Control numbers seen of each sender (qualifier and id): the same again with other content is refused; append-only';
create trigger append_only before update or delete or truncate on billing.received_interchanges
    for each statement execute function billing.append_only();

create table billing.outbound_interchanges (
    id              bigint      generated always as identity primary key,
    partner         text        not null,
    type            text        not null check (type in ('997', '824', '810', '814', '820', 'TA1')),
    control         bigint      not null check (control between 1 and 999999999),
    groups          jsonb       not null default '[]',
    name            text        not null unique,
    content         bytea       not null,
    sha256          bytea       not null check (length(sha256) = 32),
    answers         bigint      references billing.raw_files,
    decision        bigint      references billing.decisions,
    made_at         timestamptz not null default clock_timestamp(),
    awaits_997      boolean     not null default false,
    acknowledgement text        check (acknowledgement in ('A', 'E', 'P', 'R')),
    acknowledged_at timestamptz,
    acknowledged_by bigint      references billing.raw_messages,
    unique (partner, control)
);
comment on table billing.outbound_interchanges is
    'X12 interchanges that we made (997, 824, …), to be sent once each: the bytes never change, also when sent again';
comment on column billing.outbound_interchanges.control is 'ISA13, gap-free for each partner';
comment on column billing.outbound_interchanges.groups is 'Its groups: [{"type": "FA", "control": 1, "sets": 1}]';
comment on column billing.outbound_interchanges.name is 'Name of the file it is sent as';
comment on column billing.outbound_interchanges.answers is 'The file that it acknowledges or answers';
comment on column billing.outbound_interchanges.awaits_997 is 'Every group but a 997 is acknowledged by the partner';
create index outbound_interchanges_answers on billing.outbound_interchanges (answers);
create index outbound_interchanges_open on billing.outbound_interchanges (made_at)
    where awaits_997 and acknowledged_at is null;

create trigger never_dropped before delete or truncate on billing.raw_files
    for each statement execute function billing.append_only();
create trigger never_dropped before delete or truncate on billing.raw_messages
    for each statement execute function billing.append_only();
create trigger never_dropped before delete or truncate on billing.outbound_interchanges
    for each statement execute function billing.append_only();

create function billing.guard_raw_file() returns trigger language plpgsql as $$
begin
    if old.state <> new.state and old.state <> 'received' and (old.state, new.state) <> ('refused', 'received') then
        raise exception 'file % may not go from % to %', old.id, old.state, new.state using errcode = 'check_violation';
    end if;
    if (new.folder, new.name, new.channel, new.sender, new.size, new.sha256, new.received_at)
        is distinct from (old.folder, old.name, old.channel, old.sender, old.size, old.sha256, old.received_at)
        or old.moved_at is not null and (new.moved_at, new.moved_to) is distinct from (old.moved_at, old.moved_to)
    then
        raise exception 'what file % was never changes', old.id using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_raw_file before update on billing.raw_files
    for each row execute function billing.guard_raw_file();

create function billing.guard_raw_message() returns trigger language plpgsql as $$
begin
    if (new.file, new.type, new.line, new.point, new.suffix, new.day, new.key, new.stamp, new.content_hash, new.readings,
            new.quantity, new.text)
        is distinct from (old.file, old.type, old.line, old.point, old.suffix, old.day, old.key, old.stamp,
            old.content_hash, old.readings, old.quantity, old.text)
    then
        raise exception 'what message % says never changes', old.id using errcode = 'check_violation';
    end if;
    if old.state in ('refused', 'duplicate', 'rejected') and new.state <> old.state then
        raise exception 'message % may not go from % to %', old.id, old.state, new.state
            using errcode = 'check_violation';
    end if;
    if (new.state, new.code, new.sentence) is distinct from (old.state, old.code, old.sentence) then
        new.state_since := clock_timestamp();
        insert into billing.message_states (message, state, code, sentence)
        values (old.id, old.state, old.code, old.sentence);
    end if;
    return new;
end
$$;
comment on function billing.guard_raw_message is 'A message keeps what it says; the states it was in are noted';
create trigger guard_raw_message before update on billing.raw_messages
    for each row execute function billing.guard_raw_message();

create function billing.guard_outbound_interchange() returns trigger language plpgsql as $$
begin
    if (new.partner, new.type, new.control, new.name, new.content, new.sha256, new.answers)
        is distinct from (old.partner, old.type, old.control, old.name, old.content, old.sha256, old.answers)
        or old.acknowledged_at is not null and new.acknowledged_at is distinct from old.acknowledged_at
    then
        raise exception 'interchange % of % never changes', old.control, old.partner using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_outbound_interchange before update on billing.outbound_interchanges
    for each row execute function billing.guard_outbound_interchange();
