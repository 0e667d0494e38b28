-- Alerts: which cause was reported to people, and when.

create table billing.alerts (
    cause         text        primary key,
    title         text        not null,
    message       text        not null,
    severity      text        not null check (severity in ('warning', 'critical')),
    first_seen_at timestamptz not null,
    last_seen_at  timestamptz not null,
    last_told_at  timestamptz,
    repeats       integer     not null default 0,
    claim         uuid,
    claimed_at    timestamptz
);
comment on table billing.alerts is 'Who was told about what and when: one message per cause within the window';
comment on column billing.alerts.last_told_at is 'When people were last told: by a channel, or in the log where none is set';
comment on column billing.alerts.repeats is 'How often the cause came up since then without a message';
comment on column billing.alerts.claim is 'The process that sends the message now; a dead one loses it after two minutes';
