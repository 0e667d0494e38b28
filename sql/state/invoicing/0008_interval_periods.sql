-- Interval usage as a member of a batch: periods that metering validated, the channels of streams, exemptions and holidays.

alter table billing.agreements
    add column channels text[] not null default '{}',
    add column calendar text   check (calendar ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$');
comment on column billing.agreements.channels is
    'Channels of interval streams that are not those of their direction, such as E2=controlled_load; E9=- is not billed';
comment on column billing.agreements.calendar is
    'Whose public holidays the tariff''s windows know, as ISO 3166 names it; null: those of the bill group';

create table billing.tax_exemptions (
    id          bigint      generated always as identity primary key,
    account     text        not null,
    tax         text        not null check (tax ~ '\S'),
    percent     numeric     not null default 100 check (percent between 0 and 100),
    certificate text        not null default '',
    valid_from  date        not null,
    valid_until date,
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.tax_exemptions is 'The share of a tax''s base that is not taxed, by certificate';
comment on column billing.tax_exemptions.tax is 'Code of the tax in the tariff';
create unique index tax_exemptions_now on billing.tax_exemptions (account, tax, valid_from) where replaced_at is null;
create trigger guard before update on billing.tax_exemptions
    for each row execute function billing.guard_master_data();
create trigger never_dropped before delete or truncate on billing.tax_exemptions
    for each statement execute function billing.append_only();

create view billing.interval_periods as
select s.point, v.begins, v.ends,
    'intervals/' || string_agg(v.id::text, '+' order by v.id) as version,
    coalesce(sum(v.quantity * u.factor) filter (where not u.generation), 0) as kwh,
    bool_or(v.estimates > 0) as is_estimated,
    bool_and(v.state = 'passed' and v.quantity is not null) as is_ready,
    sum(v.open)::int as open, max(v.judged_at) as judged_at
from billing.validated_periods as v
join billing.streams as s on s.id = v.stream and s.register = ''
left join lateral (
    select t.billed, t.direction from billing.stream_terms as t
    where t.point = s.point and t.suffix = s.suffix and t.replaced_at is null and t.valid_from < v.ends
      and (t.valid_until is null or t.valid_until > v.begins)
    order by t.valid_from limit 1) as t on true
cross join lateral (
    select case upper(v.unit) when 'KWH' then 1 when 'WH' then 0.001 when 'MWH' then 1000 end as factor,
        coalesce(t.direction = 'generation', s.suffix like 'B%') as generation) as u
where coalesce(t.billed, true)
group by s.point, v.begins, v.ends;
comment on view billing.interval_periods is
    'Periods of service points whose interval streams metering validated: ready, or held by so many open findings';
comment on column billing.interval_periods.version is 'The validations that it is of: other readings, another version';

create unique index batch_members_intervals on billing.batch_members (point, period_start, period_end)
    where usage is null and state in ('selected', 'clear', 'held');
