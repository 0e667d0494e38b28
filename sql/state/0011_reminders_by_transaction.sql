-- Where balances come from the billing system an invoice may be reminded of before it is staged: its external id, and so
-- its key, is known only later. It is found by its transaction then.
create index reminders_transaction on billing.reminders (source, transaction_id);
comment on column billing.reminders.invoice is
    'External id of the invoice where we knew it when it was first reminded of, else source and transaction id';
comment on column billing.reminders.message_id is
    'Of the last attempt: the same for every one, unless a person had the reminder sent again';
