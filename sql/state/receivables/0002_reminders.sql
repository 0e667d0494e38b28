-- Payment reminders: one row per invoice and step, committed before the mail leaves, so that none is sent twice.

create table billing.reminders (
    id               bigint      generated always as identity primary key,
    invoice          text        not null,
    step             text        not null,
    source           text        not null,
    transaction_id   text        not null,
    number           text        not null,
    customer         text        not null,
    branch           text        not null,
    currency         text        not null,
    open_amount      numeric     not null,
    due_date         date        not null,
    state            text        not null check (state in ('sending', 'sent', 'deferred', 'bounced', 'unknown', 'skipped')),
    message_id       text,
    run_id           text        not null,
    attempts         integer     not null default 0,
    first_claimed_at timestamptz not null,
    claimed_at       timestamptz not null,
    settled_at       timestamptz,
    retry_at         timestamptz,
    smtp_code        integer,
    smtp_status      text,
    decision_id      bigint      references billing.decisions,
    why              text,
    constraint reminders_once unique (invoice, step),
    constraint mailed_or_skipped check ((message_id is null) = (state = 'skipped' and attempts = 0)),
    constraint deferred_until check (state <> 'deferred' or retry_at is not null)
);
comment on table billing.reminders is 'Payment reminders, at most one per invoice and step; no address and no name is kept';
comment on column billing.reminders.invoice is
    'External id of the invoice where we knew it when it was first reminded of, else source and transaction id';
comment on column billing.reminders.open_amount is 'What was asked for';
comment on column billing.reminders.state is
    'sending: claimed, no answer yet; sent: the mail server took it; deferred: refused for now, tried again; bounced: '
    'refused for good; unknown: it may have left or not, a person decides; skipped: passed over, see why';
comment on column billing.reminders.message_id is
    'Of the last attempt: the same for every one, unless a person had the reminder sent again';
comment on column billing.reminders.smtp_code is 'The mail server''s answer, where it refused: 550';
comment on column billing.reminders.smtp_status is 'Its enhanced status code (RFC 3463), or that of a delivery report: 5.1.1';
comment on column billing.reminders.decision_id is 'What a person last said of it: that it was sent, or is to be sent again';
comment on column billing.reminders.why is 'Why it was passed over, or that it was taken from the journal';
-- Not unique: of two claims at once, the later one would stumble over it before it finds that the reminder is taken.
create index reminders_message on billing.reminders (message_id);
create index reminders_to_look_at on billing.reminders (state, customer) where state in ('sending', 'unknown', 'bounced', 'deferred');
create index reminders_customer on billing.reminders (customer, claimed_at);
-- Where balances come from the billing system an invoice may be reminded of before it is staged: its external id, and so
-- its key, is known only later. It is found by its transaction then.
create index reminders_transaction on billing.reminders (source, transaction_id);

create function billing.guard_reminder() returns trigger language plpgsql as $$
begin
    if (new.invoice, new.step) is distinct from (old.invoice, old.step) then
        raise exception 'a reminder keeps its invoice and its step' using errcode = 'check_violation';
    end if;
    -- What was handed over, or may have been, never goes back to where it would be sent, unless a person says so.
    if new.state <> old.state and not (old.state, new.state) in (
        ('sending', 'sent'), ('sending', 'deferred'), ('sending', 'bounced'), ('sending', 'unknown'),
        ('deferred', 'sending'), ('deferred', 'bounced'), ('deferred', 'skipped'),
        ('unknown', 'sent'), ('unknown', 'bounced'), ('sent', 'bounced')
    ) and not (old.state in ('unknown', 'bounced') and new.state = 'deferred'
               and new.decision_id is distinct from old.decision_id) then
        raise exception 'the reminder % of % is %, and does not become %', old.step, old.number, old.state, new.state
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_reminder before update on billing.reminders
    for each row execute function billing.guard_reminder();
create trigger never_dropped before delete or truncate on billing.reminders
    for each statement execute function billing.append_only();
