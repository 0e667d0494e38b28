-- Validation: what was found in the readings of a stream's period, what people cleared of it, and the rules' parameters.
--
-- A finding is of the versions of readings that were judged: other versions are judged afresh. All of it is append-only.

create table billing.validation_findings (
    id           bigint      generated always as identity primary key,
    stream       bigint      not null references billing.streams,
    begins       date        not null,
    ends         date        not null,
    day          date,
    rule         text        not null,
    rule_version integer     not null,
    severity     text        not null check (severity in ('info', 'issue', 'stop')),
    parameters   jsonb       not null,
    observed     text        not null,
    allowed      text        not null,
    sentence     text        not null check (sentence ~ '\S'),
    versions     bigint[]    not null,
    content_hash bytea       not null unique,
    noted_at     timestamptz not null default clock_timestamp(),
    constraint period_has_days check (ends > begins),
    constraint day_in_period check (day >= begins and day < ends)
);
comment on table billing.validation_findings is 'What a rule found in versions of readings, with its limit';
comment on column billing.validation_findings.begins is 'Local day of the point, inclusive; ends: exclusive';
comment on column billing.validation_findings.day is 'The local day that it is about; null: the whole period';
comment on column billing.validation_findings.parameters is 'The parameters that the rule was run with';
comment on column billing.validation_findings.versions is 'The versions of readings that were looked at';
comment on column billing.validation_findings.content_hash is
    'Of all the above: the same found again in the same versions is the same finding';
create index validation_findings_stream on billing.validation_findings (stream, begins);
create trigger append_only before update or delete or truncate on billing.validation_findings
    for each statement execute function billing.append_only();

create table billing.cleared_findings (
    finding  bigint      primary key references billing.validation_findings,
    decision bigint      not null references billing.decisions,
    noted_at timestamptz not null default clock_timestamp()
);
comment on table billing.cleared_findings is 'Findings that a person verified: the data is right all the same';
create trigger append_only before update or delete or truncate on billing.cleared_findings
    for each statement execute function billing.append_only();

create table billing.validations (
    id           bigint      generated always as identity primary key,
    stream       bigint      not null references billing.streams,
    begins       date        not null,
    ends         date        not null,
    kind         text        not null check (kind in ('initial', 'manual', 'estimated')),
    versions     bigint[]    not null,
    quantity     numeric,
    unit         text        not null,
    intervals    integer     not null,
    estimates    integer     not null,
    peak         numeric,
    findings     bigint[]    not null,
    content_hash bytea       not null,
    judged_at    timestamptz not null default clock_timestamp(),
    constraint period_has_days check (ends > begins),
    constraint estimates_are_intervals check (estimates between 0 and intervals)
);
comment on table billing.validations is
    'Each time the readings of a stream''s period were judged with another result; the last one counts';
comment on column billing.validations.quantity is 'What it comes to, in `unit`; null: nothing was delivered';
comment on column billing.validations.intervals is 'Values that count; of a register 1';
comment on column billing.validations.peak is 'The highest interval, in `unit`';
comment on column billing.validations.findings is 'billing.validation_findings, in the order of the rules';
create index validations_period on billing.validations (stream, begins, ends, id);
create trigger append_only before update or delete or truncate on billing.validations
    for each statement execute function billing.append_only();

create view billing.validated_periods as
select v.id, v.stream, v.begins, v.ends, v.kind, v.versions, v.quantity, v.unit, v.intervals, v.estimates, v.peak,
    v.findings, v.judged_at, o.open, o.since, case when o.open > 0 then 'held' else 'passed' end as state
from billing.validations as v
cross join lateral (
    select count(*) as open, min(f.noted_at) as since
    from billing.validation_findings as f
    where f.id = any (v.findings) and f.severity <> 'info'
        and not exists (select from billing.cleared_findings as c where c.finding = f.id)) as o
where not exists (
    select from billing.validations as later
    where (later.stream, later.begins, later.ends) = (v.stream, v.begins, v.ends) and later.id > v.id);
comment on view billing.validated_periods is 'The last validation of each period: passed, or held by open findings since';

create table billing.validation_parameters (
    id             bigint      generated always as identity primary key,
    rule           text        not null,
    name           text        not null,
    value          numeric     check (value >= 0),
    customer_class text        not null default '',
    point          text        not null default '',
    suffix         text        not null default '',
    valid_from     date        not null,
    decision       bigint      not null references billing.decisions,
    noted_at       timestamptz not null default clock_timestamp()
);
comment on table billing.validation_parameters is
    'Parameters of rules from a day on, each by a decision; of the same the last one counts';
comment on column billing.validation_parameters.value is 'Null: what was set for that very day is withdrawn';
comment on column billing.validation_parameters.customer_class is 'Empty, as of point and suffix: all of them';
create trigger append_only before update or delete or truncate on billing.validation_parameters
    for each statement execute function billing.append_only();
